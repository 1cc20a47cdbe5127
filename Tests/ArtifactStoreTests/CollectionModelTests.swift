import Catalog
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

/// A randomised model of everything that can happen to a store at once: pushes in several steps, reads, pins, deletions,
/// collections stopped between any two of their steps, crashes with the loss of what was not synced.
///
/// The model is a dictionary from version to bytes. After every crash and at the end, every version that the model keeps
/// reads back as it was, and every version that it deleted and collected is gone. `COFFER_MODEL_SEED` replays one history,
/// `COFFER_MODEL_STEPS` makes it longer.
@Suite struct CollectionModelTests {
    @Test("no interleaving of pushes, reads, deletions, collections and crashes loses what was acknowledged")
    func interleavings() async throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["COFFER_MODEL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)
        let steps = environment["COFFER_MODEL_STEPS"].flatMap { Int($0) } ?? 250
        print("COFFER_MODEL_SEED=\(seed) COFFER_MODEL_STEPS=\(steps)")
        let model = try await StoreModel(seed: seed)
        do {
            for _ in 0..<steps { try await model.step() }
            try await model.finish()
        } catch {
            Issue.record(
                "\(error) with COFFER_MODEL_SEED=\(seed), after: \(model.history.suffix(25).joined(separator: "; "))")
        }
        await model.remove()
    }
}

private struct SimulatedCrash: Error {}

/// One history. Used by one task.
private final class StoreModel {
    private var random: SeededGenerator
    private let backend = MemoryBackend()
    private let clock = ManualClock()
    private var fixture: StoreFixture
    /// Contents to push: few, so that pushes meet.
    private let contents: [[UInt8]]
    /// What must read back.
    private var live: [VersionID: [UInt8]] = [:]
    /// Deleted, may still be brought back.
    private var deleted: [VersionID: [UInt8]] = [:]
    private var pinned: Set<VersionID> = []
    private var ingests: [(Ingest, StagedContent, [UInt8])] = []
    private var reads: [(iterator: ByteStream.AsyncIterator, expected: [UInt8], seen: [UInt8])] = []
    private(set) var history: [String] = []

    private static let configure: @Sendable (inout StoreConfiguration) -> Void = {
        $0.dataPackBytes = 60_000
        $0.metaPackBytes = 6_000
        $0.inlineCommitBytes = 3_000
        $0.undeleteSeconds = 100
        $0.leaseSeconds = 10_000
        $0.indexTailEntries = 6
        $0.openDataPacks = 2
    }

    init(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var contents: [[UInt8]] = []
        var parts: [[UInt8]] = []
        for _ in 0..<6 { parts.append(random.bytes(17_000)) }
        for index in 0..<12 {
            switch index % 3 {
            case 0: contents.append(random.bytes(1 + Int(random.next() % 2000)))
            case 1: contents.append(parts[index % 6] + random.bytes(20_000))
            default: contents.append(parts[(index + 1) % 6] + parts[index % 6] + parts[(index + 3) % 6])
            }
        }
        self.contents = contents
        self.random = random
        let clock = clock
        fixture = try await StoreFixture(backend: backend, now: { clock.now }, configure: Self.configure)
    }

    private func pick<T>(_ items: [T]) -> T? { items.isEmpty ? nil : items[Int(random.next() % UInt64(items.count))] }

    private func pickID(_ items: some Sequence<VersionID>) -> VersionID? {
        pick(items.sorted { $0.rawValue < $1.rawValue })
    }

    func step() async throws {
        clock.advance(Double(random.next() % 40))
        switch random.next() % 100 {
        case 0..<18: try await begin()
        case 18..<36: try await publish()
        case 36..<42: try await push()
        case 42..<50: try await beginRead()
        case 50..<58: try await continueRead()
        case 58..<68: try await delete()
        case 68..<71: try await undelete()
        case 71..<75: try await pinOrUnpin()
        case 75..<88: try await collect()
        case 88..<91: try await rebuild()
        case 91..<94: if !ingests.isEmpty { ingests.remove(at: Int(random.next() % UInt64(ingests.count))).0.abandon() }
        default: try await crash()
        }
    }

    private func begin() async throws {
        guard ingests.count < 4, let bytes = pick(contents) else { return }
        history.append("begin \(bytes.count)")
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        ingests.append((ingest, try await ingest.addBlob(bytes), bytes))
    }

    private func publish() async throws {
        guard !ingests.isEmpty else { return }
        let (_, staged, bytes) = ingests.remove(at: Int(random.next() % UInt64(ingests.count)))
        history.append("publish \(bytes.count)")
        do {
            let version = try await fixture.store.publish(staged, fixture.draft())
            live[version.id] = bytes
        } catch let error as StoreError where error.code == .leaseExpired {
            history.append("lease expired")
        }
    }

    /// A push in one go, as a directory, so that trees take part.
    private func push() async throws {
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let tree = try await ingest.openTree()
        guard let bytes = pick(contents) else { return }
        history.append("push tree \(bytes.count)")
        for index in 0..<30 {
            try await tree.addFile(Array("d/\(index % 3)/f\(index)".utf8), mode: 0o644, [UInt8(index)])
        }
        try await tree.addFile(Array("content".utf8), mode: 0o644, bytes)
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft("tree"))
        live[version.id] = bytes
    }

    private func open(_ id: VersionID) async throws -> ByteStream {
        let version = try await fixture.store.version(id)
        if version.rootKind == .blob { return try await fixture.store.read(id) }
        return try await fixture.store.readFile(id, path: "content").stream
    }

    private func beginRead() async throws {
        guard reads.count < 3, let id = pickID(live.keys), let expected = live[id] else { return }
        history.append("begin read \(id)")
        reads.append((try await open(id).makeAsyncIterator(), expected, []))
    }

    private func continueRead() async throws {
        guard !reads.isEmpty else { return }
        let index = Int(random.next() % UInt64(reads.count))
        var read = reads.remove(at: index)
        history.append("read on")
        if let piece = try await read.iterator.next() {
            read.seen += piece
            reads.append(read)
        } else if read.seen != read.expected {
            throw StoreError.integrity("a read returned other bytes")
        }
    }

    private func delete() async throws {
        guard live.count > 3, let id = pickID(live.keys.filter { !pinned.contains($0) }) else { return }
        history.append("delete \(id)")
        try await fixture.store.delete([id])
        deleted[id] = live.removeValue(forKey: id)
    }

    private func undelete() async throws {
        guard let id = pickID(deleted.keys) else { return }
        history.append("undelete \(id)")
        do {
            try await fixture.store.undelete(id)
            live[id] = deleted.removeValue(forKey: id)
        } catch let error as StoreError where error.code == .notFound {
            deleted[id] = nil
        }
    }

    private func pinOrUnpin() async throws {
        guard let id = pickID(live.keys) else { return }
        if pinned.remove(id) != nil {
            try await fixture.store.unpin(id, name: "model")
        } else {
            try await fixture.store.pin(id, name: "model", owner: "model")
            pinned.insert(id)
        }
    }

    /// A whole collection, or one that stops between two steps; between steps other things may happen.
    private func collect() async throws {
        let stop = random.next() % 3 == 0 ? Int(random.next() % 12) : Int.max
        let intrude = random.next() % 3 == 0 ? Int(random.next() % 8) : Int.max
        history.append(
            "collect, stop \(stop == .max ? "never" : "\(stop)"), intrude \(intrude == .max ? "never" : "\(intrude)")")
        let counter = Mutex(0)
        let intruder = Intruder(fixture: fixture, ingest: ingests.popLast())
        fixture.store.collectionHook.withLock {
            $0 = { _ in
                let count = counter.withLock { counter in
                    defer { counter += 1 }
                    return counter
                }
                if count == stop { throw SimulatedCrash() }
                if count == intrude { try await intruder.publish() }
            }
        }
        do {
            try await fixture.store.collect()
        } catch is SimulatedCrash {
            history.append("stopped")
            if random.next() % 2 == 0 { try await crash() }
        }
        fixture.store.collectionHook.withLock { $0 = nil }
        if let (id, bytes) = intruder.published { live[id] = bytes }
        if let rest = intruder.unused { ingests.append(rest) }
    }

    private func rebuild() async throws {
        history.append("rebuild index")
        _ = try await fixture.store.rebuildIndex()
    }

    /// Everything that was not synced is lost; everything that was acknowledged must be there.
    private func crash() async throws {
        history.append("crash")
        ingests = []
        reads = []
        backend.crash()
        let clock = clock
        fixture = try await fixture.reopened(backend: backend, now: { clock.now }, configure: Self.configure)
        try await check()
    }

    private func check() async throws {
        for (id, bytes) in live {
            let read = try await open(id).collect(upTo: 1 << 20)
            if read != bytes { throw StoreError.integrity("version \(id) reads back as something else") }
        }
    }

    func finish() async throws {
        history.append("finish")
        try await check()
        ingests = []
        reads = []
        clock.advance(20_000)
        for _ in 0..<3 { try await fixture.store.collect() }
        try await check()
        // Nothing is left over: with every version deleted, everything goes.
        for id in pinned { try await fixture.store.unpin(id, name: "model") }
        try await fixture.store.delete(Array(live.keys))
        clock.advance(20_000)
        try fixture.store.packs.sealOpenPacks()
        for _ in 0..<3 { try await fixture.store.collect() }
        let statistics = try await fixture.store.statistics()
        if statistics.sealedPacks > 0 || statistics.condemnedPacks > 0 {
            throw StoreError.invalid(
                "\(statistics.sealedPacks) sealed and \(statistics.condemnedPacks) condemned packs are left")
        }
    }

    func remove() async { fixture.remove() }
}

/// Publishes in the middle of a collection.
private final class Intruder: Sendable {
    private let fixture: StoreFixture
    private let state: Mutex<(ingest: (Ingest, StagedContent, [UInt8])?, published: (VersionID, [UInt8])?)>

    init(fixture: StoreFixture, ingest: (Ingest, StagedContent, [UInt8])?) {
        self.fixture = fixture
        state = Mutex((ingest, nil))
    }

    func publish() async throws {
        guard
            let (_, staged, bytes) = state.withLock({ state -> (Ingest, StagedContent, [UInt8])? in
                defer { state.ingest = nil }
                return state.ingest
            })
        else { return }
        do {
            let version = try await fixture.store.publish(staged, fixture.draft())
            state.withLock { $0.published = (version.id, bytes) }
        } catch let error as StoreError where error.code == .leaseExpired {
            return
        }
    }

    var published: (VersionID, [UInt8])? { state.withLock { $0.published } }
    var unused: (Ingest, StagedContent, [UInt8])? { state.withLock { $0.ingest } }
}
