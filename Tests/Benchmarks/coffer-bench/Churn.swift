import ArgumentParser
import ArtifactStore
import Catalog
import Foundation
import Glibc
import Synchronization
import SystemPackage

/// Stores, deletes and collects without end, for a test that kills it and starts it again.
///
/// Reads lines `VERSION SEED` of what must be there, compares all of it and says `verified N`; then works, and says
/// `put VERSION SEED` once a version is acknowledged, `deleting VERSION` before it may be gone, `collected N` with the
/// number of packs that a collection removed.
struct Churn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Store, delete and collect until killed.")

    @OptionGroup var bench: BenchOptions
    @Option(help: "Seed of the first content; each next one is one higher.") var first: UInt64 = 1
    @Flag(help: "Only compare, scrub and end.") var check = false

    func run() async throws {
        var wanted: [(id: VersionID, seed: UInt64)] = []
        while let line = readLine() {
            let words = line.split(separator: " ")
            guard words.count == 2, let id = VersionID(String(words[0])), let seed = UInt64(words[1]) else {
                throw ValidationError("not a line of a version and a seed: \(line)")
            }
            wanted.append((id, seed))
        }
        let (store, catalog) = try await bench.open {
            // Small packs, so that there is something to seal, condemn and compact.
            $0.dataPackBytes = 150_000
            $0.metaPackBytes = 15_000
            $0.undeleteSeconds = 0
            $0.inlineCommitBytes = 16_000
            $0.indexTailEntries = 50
        }
        for (id, seed) in wanted {
            let bytes = try await store.read(id).collect(upTo: 1 << 24)
            guard bytes == ChurnContent.bytes(seed) else {
                throw ValidationError("version \(id) is not what was stored")
            }
        }
        say("verified \(wanted.count)")
        if check {
            let damage = try await store.scrub(.deep).damage
            guard damage.isEmpty else { throw ValidationError("scrubbing found \(damage)") }
            _ = try await store.collect()
            try await store.close()
            try catalog.close()
            return say("checked")
        }
        try await work(store, wanted.map(\.id))
    }

    private func work(_ store: ArtifactStore, _ kept: [VersionID]) async throws {
        let worker = ChurnWorker(store, first: first, kept: kept)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 { group.addTask { while true { try await worker.publish() } } }
            group.addTask { while true { try await worker.delete() } }
            group.addTask { while true { try await worker.collect() } }
            try await group.waitForAll()
        }
    }
}

/// One whole line at a time, at once: what was written before a kill is read after it.
private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

private final class ChurnWorker: Sendable {
    private let store: ArtifactStore
    private let state: Mutex<(next: UInt64, kept: [VersionID])>

    init(_ store: ArtifactStore, first: UInt64, kept: [VersionID]) {
        self.store = store
        state = Mutex((first, kept))
    }

    func publish() async throws {
        let seed = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        let version = try await store.publish(try await ingest.addBlob(ChurnContent.bytes(seed)), BenchOptions.draft())
        say("put \(version.id) \(seed)")
        state.withLock { $0.kept.append(version.id) }
    }

    func delete() async throws {
        let victim = state.withLock { state -> VersionID? in
            guard state.kept.count > 24 else { return nil }
            return state.kept.remove(at: Int.random(in: 0..<state.kept.count))
        }
        guard let victim else { return try await Task.sleep(for: .milliseconds(1)) }
        say("deleting \(victim)")
        try await store.delete([victim])
    }

    func collect() async throws { say("collected \(try await store.collect().packsDeleted)") }
}

/// Contents that a seed determines: some small, some large, with parts in common.
private enum ChurnContent {
    static func bytes(_ seed: UInt64) -> [UInt8] {
        var random = Xorshift(state: seed &* 0x9E37_79B9_7F4A_7C15 | 1)
        for _ in 0..<4 { _ = random.next() }
        if random.next() % 3 == 0 { return random.bytes(1 + Int(random.next() % 6_000)) }
        var result: [UInt8] = []
        for _ in 0...random.next() % 3 {
            var part = Xorshift(state: (1 + random.next() % 24) &* 0x9E37_79B9_7F4A_7C15 | 1)
            result += part.bytes(70_000)
        }
        return result + random.bytes(Int(random.next() % 30_000))
    }
}
