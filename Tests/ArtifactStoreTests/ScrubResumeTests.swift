import Catalog
import Foundation
import Testing

@testable import ArtifactStore

@Suite("Scrubbing in parts")
struct ScrubResumeTests {
    private func files(_ seed: UInt64) -> [String: [UInt8]] {
        var random = SeededGenerator(seed: seed)
        var files: [String: [UInt8]] = [:]
        for index in 0..<20 { files["d\(index % 3)/f\(index)"] = random.bytes(20_000) }
        files["d1/large"] = random.bytes(700_000)
        files["z"] = random.bytes(10_000)
        return files
    }

    @Test("a deep scrub goes on in the middle of a version and of a file, also after a restart, and reads all once")
    func resumed() async throws {
        var fixture = try await StoreFixture()
        defer { fixture.remove() }
        let files = files(60)
        let total = Int64(files.values.reduce(0) { $0 + $1.count })
        _ = try await fixture.publish(directory: try fixture.directory("tree", files))
        _ = try await fixture.publish([UInt8](repeating: 1, count: 300_000), artifact: "blob")
        // Of packs that are still being filled the structure is read.
        let packBytes = fixture.store.packs.table.all.reduce(Int64(0)) {
            $0 + ($1.state == .open ? 4096 : Int64($1.length))
        }
        var read: Int64 = 0
        var versions = 0
        var calls = 0
        while true {
            calls += 1
            let report = try await fixture.store.scrub(.deep, byteLimit: 100_000)
            #expect(report.damage.isEmpty)
            #expect(report.isResumed == (calls > 1))
            // A call ends within a chunk, or a pack, of its limit.
            #expect(report.packs > 0 || report.bytes <= 100_000 + (256 << 10) * 8)
            read += report.bytes
            versions += report.versions
            if report.isComplete { break }
            if calls == 5 { fixture = try await fixture.reopened() }
            try #require(calls < 100)
        }
        #expect(calls > 8)
        #expect(versions == 2)
        #expect(read == packBytes + total + 300_000)
        let next = try await fixture.store.scrub(.deep)
        #expect(next.isComplete && !next.isResumed && next.versions == 2)
    }

    @Test("a pass that is not wanted any more is begun anew")
    func fresh() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let version = try await fixture.publish(directory: try fixture.directory("tree", files(61)))
        _ = try await fixture.store.scrub(.deep, byteLimit: 1)
        let half = try await fixture.store.scrub(.deep, byteLimit: 200_000)
        #expect(!half.isComplete)
        let whole = try await fixture.store.scrub(.deep, fresh: true)
        #expect(whole.isComplete && !whole.isResumed && whole.versions == 1 && whole.packs > 0)

        // A version that was left in the middle and is gone is passed over.
        _ = try await fixture.store.scrub(.deep, byteLimit: 1)
        _ = try await fixture.store.scrub(.deep, byteLimit: 200_000)
        _ = try await fixture.catalog.write {
            try $0.execute("DELETE FROM store_versions WHERE id = ?", version.id.rawValue)
        }
        let rest = try await fixture.store.scrub(.deep)
        #expect(rest.isComplete && rest.versions == 0 && rest.damage.isEmpty)
    }

    @Test("packs are taken in turn, and damage is told by the call that finds it")
    func packs() async throws {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend, configure: { $0.dataPackBytes = 200_000 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 62)
        _ = try await fixture.publish(random.bytes(900_000))
        try await fixture.store.close()
        let count = fixture.store.packs.table.all.count
        var seen = 0
        var calls = 0
        while true {
            calls += 1
            let report = try await fixture.store.scrub(.pack, byteLimit: 1)
            seen += report.packs
            if report.isComplete { break }
            try #require(calls < 50)
        }
        #expect(seen == count && calls >= count)
    }
}
