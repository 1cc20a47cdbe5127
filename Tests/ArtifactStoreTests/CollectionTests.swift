import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct CollectionTests {
    private static let small: @Sendable (inout StoreConfiguration) -> Void = {
        $0.dataPackBytes = 250_000
        $0.metaPackBytes = 20_000
        $0.undeleteSeconds = 0
        $0.openDataPacks = 1
    }

    @Test("space of deleted versions is given back, the rest stays readable") func freesSpace() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 40)
        var kept: [(Version, [UInt8])] = []
        var doomed: [VersionID] = []
        for index in 0..<8 {
            let bytes = random.bytes(200_000)
            let version = try await fixture.publish(bytes)
            if index % 2 == 0 { kept.append((version, bytes)) } else { doomed.append(version.id) }
        }
        try fixture.store.packs.sealOpenPacks()
        let before = try await fixture.store.statistics().storedBytes
        try await fixture.store.delete(doomed)
        clock.advance(1)
        let plan = try await fixture.store.collect(plan: true)
        #expect(plan.packsDeleted == 0)
        let report = try await fixture.store.collect()
        #expect(report.versionsRemoved == 4)
        #expect(report.packsDeleted > 0)
        _ = try await fixture.store.collect()
        let after = try await fixture.store.statistics().storedBytes
        #expect(after < before * 2 / 3)
        for (version, bytes) in kept { #expect(try await fixture.read(version) == bytes) }
        let second = try await fixture.reopened(now: { clock.now }, configure: Self.small)
        for (version, bytes) in kept { #expect(try await second.read(version) == bytes) }
    }

    @Test("space in packs that are still being filled is given back too, beside an ingest that writes to them")
    func freesSpaceOfOpenPacks() async throws {
        let clock = ManualClock()
        let configure: @Sendable (inout StoreConfiguration) -> Void = { $0.undeleteSeconds = 0 }
        let fixture = try await StoreFixture(now: { clock.now }, configure: configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 46)
        let (doomed, small, late) = (random.bytes(1_500_000), random.bytes(90_000), random.bytes(200_000))
        let version = try await fixture.publish(doomed)
        let kept = try await fixture.publish(small)
        try await fixture.store.delete([version.id])
        clock.advance(1)
        #expect(try await fixture.store.collect(plan: true).bytesFreed > 1_400_000)
        var writing: Ingest? = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = Mutex(try await writing?.addBlob(late))
        writing = nil
        let report = try await fixture.store.collect()
        #expect(report.packsCondemned + report.packsCompacted > 0)
        #expect(report.packsDeleted == 0, "the ingest may rely on them")
        let draft = VersionDraft(scope: fixture.scope, repository: "web", artifact: "late", createdBy: "tester")
        let published = try await fixture.store.publish(
            try #require(staged.withLock { $0.take() }), draft)
        for _ in 0..<3 { _ = try await fixture.store.collect() }
        let after = try await fixture.store.statistics().storedBytes
        #expect(after < 700_000, "stored \(after)")
        #expect(try await fixture.read(kept) == small)
        #expect(try await fixture.read(published) == late)
        let second = try await fixture.reopened(now: { clock.now }, configure: configure)
        #expect(try await second.read(kept) == small)
        #expect(try await second.read(published) == late)
    }

    @Test("content found during an ingest survives a collection that runs before its publication")
    func ingestDuringCollection() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 41)
        let bytes = random.bytes(400_000)
        let version = try await fixture.publish(bytes)
        try fixture.store.packs.sealOpenPacks()
        try await fixture.store.delete([version.id])
        clock.advance(1)
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await ingest.addBlob(bytes)
        let report = try await fixture.store.collect()
        #expect(report.packsCondemned > 0)
        #expect(report.packsDeleted == 0)
        let again = try await fixture.store.publish(staged, fixture.draft())
        #expect(again.newStoredBytes == 0)
        try await fixture.store.collect()
        try await fixture.store.collect()
        #expect(try await fixture.read(again) == bytes)
    }

    @Test("a version published between the mark and the condemnation keeps its packs") func publishedAfterMark()
        async throws
    {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 45)
        let bytes = random.bytes(400_000)
        let version = try await fixture.publish(bytes)
        try fixture.store.packs.sealOpenPacks()
        try await fixture.store.delete([version.id])
        clock.advance(1)
        var ingest: Ingest? = try await fixture.store.beginIngest(scope: fixture.scope)
        let waiting = Mutex(try await ingest?.addBlob(bytes))
        ingest = nil
        fixture.store.collectionHook.withLock {
            $0 = { step in
                guard step == .condemning, let staged = waiting.withLock({ $0.take() }) else { return }
                try await fixture.store.publish(staged, fixture.draft("late"))
            }
        }
        try await fixture.store.collect()
        fixture.store.collectionHook.withLock { $0 = nil }
        try await fixture.store.collect()
        let late = try await fixture.store.resolve(
            VersionReference(repository: "web", artifact: "late"), in: fixture.scope)
        #expect(try await fixture.read(late) == bytes)
    }

    @Test("a reader finishes what it began although the version is collected meanwhile") func readDuringCollection()
        async throws
    {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 42)
        let bytes = random.bytes(1_500_000)
        let version = try await fixture.publish(bytes)
        try fixture.store.packs.sealOpenPacks()
        var read: [UInt8] = []
        do {
            var iterator = try await fixture.store.read(version.id).makeAsyncIterator()
            read += try #require(try await iterator.next())
            try await fixture.store.delete([version.id])
            clock.advance(1)
            let report = try await fixture.store.collect()
            #expect(report.packsDeleted == 0)
            while let piece = try await iterator.next() { read += piece }
        }
        #expect(read == bytes)
        let report = try await fixture.store.collect()
        #expect(report.packsDeleted > 0)
    }

    @Test("the index can be rebuilt from the packs alone") func rebuild() async throws {
        let fixture = try await StoreFixture(configure: { $0.dataPackBytes = 300_000 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 43)
        let big = random.bytes(900_000)
        let version = try await fixture.publish(big)
        let tiny = try await fixture.publish(random.text(2000))
        let count = try await fixture.store.rebuildIndex()
        #expect(count > 5)
        #expect(try await fixture.read(version) == big)
        #expect(try await fixture.read(tiny).count == 2000)
        try await fixture.store.close()
        // The whole index folder lost between two starts.
        try FileManager.default.removeItem(atPath: fixture.folder.appending("index").string)
        let second = try await fixture.reopened()
        #expect(try await second.read(version) == big)
    }

    @Test("what only one version needs is what deleting it would free") func exclusive() async throws {
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 44)
        let shared = random.bytes(300_000)
        let own = random.bytes(200_000)
        let first = try await fixture.publish(directory: try fixture.directory("a", ["shared": shared]))
        let second = try await fixture.publish(
            directory: try fixture.directory("b", ["shared": shared, "own": own]), artifact: "other")
        let one = try await fixture.store.exclusiveBytes(of: first.id)
        let two = try await fixture.store.exclusiveBytes(of: second.id)
        #expect(one < 5000)
        #expect(two > 200_000 && two < 215_000)
    }
}
