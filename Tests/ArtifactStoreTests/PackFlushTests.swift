import Cryptography
import Foundation
import Synchronization
import Testing

@testable import ArtifactStore

/// Lets something else happen while a pack is flushed.
private final class SlowBackend: BlobBackend {
    private let inner = MemoryBackend()
    private let during = Mutex<(@Sendable () throws -> Void)?>(nil)

    /// What happens, once, while the next flush waits for the device.
    func duringNextSync(_ body: @escaping @Sendable () throws -> Void) { during.withLock { $0 = body } }

    func create(_ name: String) throws { try inner.create(name) }
    func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws {
        try inner.append(name, at: offset, bytes)
    }
    func sync(_ name: String) throws {
        let body = during.withLock { during in
            defer { during = nil }
            return during
        }
        try body?()
        try inner.sync(name)
    }
    func seal(_ name: String) throws { try inner.seal(name) }
    func truncate(_ name: String, to length: Int64) throws { try inner.truncate(name, to: length) }
    func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws {
        try inner.read(name, at: offset, into: buffer)
    }
    func length(_ name: String) throws -> Int64? { try inner.length(name) }
    func delete(_ name: String) throws { try inner.delete(name) }
    func list() throws -> [String] { try inner.list() }
}

@Suite struct PackFlushTests {
    @Test func `a pack that is completed while a commit waits for its flush is known as completed`() async throws {
        let backend = SlowBackend()
        let fixture = try await StoreFixture(
            backend: backend,
            configure: {
                $0.inlineCommitBytes = 0
                $0.openDataPacks = 1
            })
        defer { fixture.remove() }
        let packs = fixture.store.packs
        var random = SeededGenerator(seed: 70)
        let (bytes, more) = (random.bytes(5_000), random.bytes(3_000))
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await ingest.addBlob(bytes)
        let other = try await fixture.store.beginIngest(scope: fixture.scope)
        backend.duringNextSync {
            // Another ingest goes on in the same pack, which then is full.
            _ = try more.withUnsafeBytes { try other.session.storeChunk($0) }
            try packs.sealOpenPacks()
        }
        let version = try await fixture.store.publish(staged, fixture.draft())
        let known = try #require(packs.table.all.first)
        #expect(try backend.length(known.name) == Int64(known.length))
        #expect(try packs.entries(of: known).count == 2)
        #expect(try await fixture.store.scrub(.pack).damage.isEmpty)
        let second = try await fixture.store.publish(try await other.addBlob(more), fixture.draft())
        #expect(packs.table.all.count == 1)
        let info = try #require(packs.table.all.first)
        #expect(info.state == .sealed)
        #expect(try backend.length(info.name) == Int64(info.length))
        #expect(try packs.entries(of: info).count == 2)
        _ = try await fixture.store.rebuildIndex()
        #expect(try await fixture.read(version) == bytes)
        #expect(try await fixture.read(second) == more)
        #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
        try await fixture.store.collect()
        #expect(try await fixture.read(second) == more)
    }
}
