import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite("Writers that race for the same content")
struct RacingWritersTests {
    private static let small: @Sendable (inout StoreConfiguration) -> Void = {
        $0.dataPackBytes = 250_000
        $0.metaPackBytes = 20_000
        $0.undeleteSeconds = 0
        $0.inlineCommitBytes = 0
        $0.openDataPacks = 2
    }

    /// All versions are whole, and the last survives the end of the others. What is stored twice, because neither could know
    /// of the other, depends on who was where when, and goes with the next collections.
    private static func check(_ fixture: StoreFixture, _ clock: ManualClock, _ versions: [Version], _ bytes: [UInt8])
        async throws
    {
        for version in versions { #expect(try await fixture.read(version) == bytes) }
        let statistics = try await fixture.store.statistics()
        #expect(statistics.logicalBytes == Int64(versions.count * bytes.count))
        #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
        try fixture.store.packs.sealOpenPacks()
        let (kept, doomed) = (try #require(versions.last), versions.dropLast())
        try await fixture.store.delete(doomed.map(\.id))
        for _ in 0..<3 {
            clock.advance(86_400)
            try await fixture.store.collect()
        }
        #expect(try await fixture.read(kept) == bytes)
        let later = try await fixture.reopened(now: { clock.now }, configure: Self.small)
        #expect(try await later.read(kept) == bytes)
        #expect(try await later.store.scrub(.deep).damage.isEmpty)
        #expect(try await later.store.statistics().storedBytes < Int64(bytes.count * 2))
    }

    @Test("Neither knows of the other's chunks until both have written them", arguments: [false, true])
    func interleaved(firstPublishesFirst: Bool) async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 81)
        let bytes = random.bytes(600_000)
        let first = try await fixture.store.beginIngest(scope: fixture.scope)
        let second = try await fixture.store.beginIngest(scope: fixture.scope)
        let one = try await first.addBlob(bytes)
        let two = try await second.addBlob(bytes)
        var versions: [Version] = []
        for staged in firstPublishesFirst ? [one, two] : [two, one] {
            versions.append(try await fixture.store.publish(staged, fixture.draft("app\(versions.count)")))
        }
        try await Self.check(fixture, clock, versions, bytes)
    }

    @Test("Many at once, while space is collected")
    func concurrent() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.small)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 82)
        let bytes = random.bytes(600_000)
        let versions = try await withThrowingTaskGroup(of: Version?.self) { group in
            for number in 0..<4 { group.addTask { try await fixture.publish(bytes, artifact: "app\(number)") } }
            group.addTask {
                for _ in 0..<4 { try await fixture.store.collect() }
                return nil
            }
            var versions: [Version] = []
            for try await version in group { if let version { versions.append(version) } }
            return versions
        }
        try await Self.check(fixture, clock, versions, bytes)
    }
}
