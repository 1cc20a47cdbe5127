import Foundation
import Synchronization
import Testing

@testable import ArtifactStore

/// Storage with a limited amount of room.
private final class SmallDisk: BlobBackend {
    private let base = MemoryBackend()
    private let room: Mutex<Int64>

    init(bytes: Int64) { room = Mutex(bytes) }

    func setRoom(_ bytes: Int64) { room.withLock { $0 = bytes } }

    var used: Int64 {
        get throws { try base.list().reduce(0) { try $0 + (base.length($1) ?? 0) } }
    }

    func create(_ name: String) throws { try base.create(name) }

    func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws {
        guard try used + Int64(bytes.count) <= room.withLock({ $0 }) else {
            throw StoreError(.full, "no space left on device")
        }
        try base.append(name, at: offset, bytes)
    }

    func sync(_ name: String) throws { try base.sync(name) }
    func seal(_ name: String) throws { try base.seal(name) }
    func truncate(_ name: String, to length: Int64) throws { try base.truncate(name, to: length) }
    func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws {
        try base.read(name, at: offset, into: buffer)
    }
    func length(_ name: String) throws -> Int64? { try base.length(name) }
    func delete(_ name: String) throws { try base.delete(name) }
    func list() throws -> [String] { try base.list() }
}

@Suite("A disk that an upload filled")
struct SpaceReclaimTests {
    private func fixture(_ disk: SmallDisk) async throws -> StoreFixture {
        try await StoreFixture(backend: disk, configure: { $0.dataPackBytes = 300_000 })
    }

    /// Waits for what the store does on its own threads.
    private func until(_ question: () throws -> Bool) async throws -> Bool {
        for _ in 0..<1000 {
            if try question() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test("has room again as soon as the upload has ended, without a restart or a collection", .timeLimit(.minutes(2)))
    func freed() async throws {
        let disk = SmallDisk(bytes: 3_000_000)
        let fixture = try await fixture(disk)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 70)
        let kept = random.bytes(500_000)
        let version = try await fixture.publish(kept)
        let before = try disk.used
        let large = random.bytes(4_000_000)
        do {
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
            await #expect(throws: StoreError.self) { _ = try await ingest.addBlob(large) }
            #expect(try disk.used > before + 1_500_000)
            ingest.abandon()
        }
        // Packs that hold published content as well keep what was added to them.
        #expect(try await until { try disk.used <= before + 3 * 300_000 })
        #expect(try await fixture.read(version) == kept)
        let next = random.bytes(1_000_000)
        let later = try await fixture.publish(next, artifact: "later")
        #expect(try await fixture.read(later) == next)
        // The content of the packs that went does not count as stored.
        disk.setRoom(20_000_000)
        let again = try await fixture.publish(large, artifact: "again")
        #expect(try await fixture.read(again) == large)
        let second = try await fixture.reopened(backend: disk, configure: { $0.dataPackBytes = 300_000 })
        for (version, bytes) in [(version, kept), (later, next), (again, large)] {
            #expect(try await second.read(version) == bytes)
        }
        #expect(try await second.store.scrub(.deep).damage.isEmpty)
    }

    @Test("gives nothing back while another upload may rely on it", .timeLimit(.minutes(2)))
    func shared() async throws {
        let disk = SmallDisk(bytes: 3_000_000)
        let fixture = try await fixture(disk)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 71)
        let large = random.bytes(4_000_000)
        let failing = try await fixture.store.beginIngest(scope: fixture.scope)
        let other = try await fixture.store.beginIngest(scope: fixture.scope)
        await #expect(throws: StoreError.self) { _ = try await failing.addBlob(large) }
        // The other one finds the beginning of the same content there.
        let head = Array(large.prefix(600_000))
        disk.setRoom(4_000_000)
        let staged = try await other.addBlob(head)
        failing.abandon()
        let version = try await fixture.store.publish(staged, fixture.draft())
        #expect(try await fixture.read(version) == head)
        other.abandon()
        let used = try disk.used
        #expect(try await until { try disk.used < used || fixture.store.packs.ranOutOfRoom.withLock { !$0 } })
        #expect(try await fixture.read(version) == head)
        #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
    }
}
