import Catalog
import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct StorageKeyRotationTests {
    @Test("After a rotation everything is sealed under the new storage key, readable, found, and the old one is gone")
    func rotation() async throws {
        var generator = SeededGenerator(seed: 11)
        let fixture = try await StoreFixture(configure: { $0.dataPackBytes = 256 << 10 })
        defer { fixture.remove() }
        let large = generator.bytes(900 << 10)
        let small = generator.text(3000)
        let first = try await fixture.publish(large)
        let tree = try await fixture.publish(
            directory: try fixture.directory("in", ["a/b.txt": small, "c.bin": generator.bytes(70_000)]))
        let report = try await fixture.store.rotateStorageKey(destroyingOld: true)
        #expect(report.version == 2)
        #expect(report.packs > 1)
        #expect(report.versions == 2)
        #expect(report.destroyed == [1])
        let left = try await fixture.catalog.read { transaction in
            try transaction.rows("SELECT storage_key FROM store_packs").map { try $0.int("storage_key") }
        }
        #expect(Set(left) == [2])

        let second = try await fixture.publish(generator.bytes(300 << 10))
        let same = try await fixture.publish(large)
        #expect(same.newStoredBytes == 0)
        func check(_ fixture: StoreFixture) async throws {
            #expect(try await fixture.read(first) == large)
            #expect(try await fixture.store.version(second.id).contentID == second.contentID)
            let (_, stream) = try await fixture.store.readFile(tree.id, path: "a/b.txt")
            #expect(try await stream.collect(upTo: 1 << 20) == small)
            let reference = VersionReference(repository: "web", artifact: "app", which: "sha256:\(tree.contentID.hex)")
            #expect(try await fixture.store.resolve(reference, in: fixture.scope).id == tree.id)
            #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
            #expect(try await fixture.store.rebuildIndex() > 0)
            #expect(try await fixture.read(first) == large)
            try await fixture.store.collect()
            #expect(try await fixture.read(first) == large)
        }
        try await check(fixture)
        try await check(try await fixture.reopened(configure: { $0.dataPackBytes = 256 << 10 }))
    }

    @Test("Content is found by its hash while a rotation is unfinished, and the next one finishes it")
    func unfinished() async throws {
        var generator = SeededGenerator(seed: 12)
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let bytes = generator.bytes(400 << 10)
        let version = try await fixture.publish(bytes)
        // What a crash right after the new key was made leaves.
        _ = try await fixture.keys.rotateStorageKey()
        let later = try await fixture.reopened()
        let reference = VersionReference(repository: "web", artifact: "app", which: "sha256:\(version.contentID.hex)")
        #expect(try await later.store.resolve(reference, in: later.scope).id == version.id)
        #expect(try await later.read(version) == bytes)
        let newer = try await later.publish(generator.bytes(10))
        #expect(try await later.store.rewrapStorageKeys(destroyingOld: true).destroyed == [1])
        let last = try await later.reopened()
        #expect(try await last.read(version) == bytes)
        #expect(try await last.store.version(newer.id).contentID == newer.contentID)
        #expect(try await last.store.resolve(reference, in: last.scope).id == version.id)
    }

    @Test("An ingest that began before a rotation publishes after it")
    func ingestAcross() async throws {
        var generator = SeededGenerator(seed: 13)
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let bytes = generator.bytes(500 << 10)
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let writer = try await ingest.openBlob()
        try await writer.write(Array(bytes[..<250_000]))
        _ = try await fixture.store.rotateStorageKey(destroyingOld: true)
        try await writer.write(Array(bytes[250_000...]))
        let version = try await fixture.store.publish(try await writer.finish(), fixture.draft())
        #expect(try await fixture.read(version) == bytes)
        let later = try await fixture.reopened()
        #expect(try await later.read(version) == bytes)
        #expect(try await later.store.scrub(.pack).damage.isEmpty)
    }

    @Test("An epoch that a version needs stays; unused ones go after a second look, and late ingests begin again")
    func epochs() async throws {
        var generator = SeededGenerator(seed: 14)
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let bytes = generator.bytes(100 << 10)
        let version = try await fixture.publish(bytes)
        let row = try await fixture.store.row(version.id)
        let late = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await late.addBlob(generator.bytes(2000))
        _ = try await fixture.keys.rotateDomain(id: try row.bytes("domain_id"))
        #expect(try await fixture.store.retireDomainEpochs(immediately: true).needed.count == 1)
        let again = try await fixture.publish(bytes)
        #expect(again.newStoredBytes > 0, "nothing is shared between epochs")
        try await fixture.catalog.write {
            _ = try $0.execute("DELETE FROM store_versions WHERE id = ?", version.id.rawValue)
        }
        #expect(try await fixture.store.retireDomainEpochs().waiting.count == 1)
        #expect(try await fixture.store.retireDomainEpochs(immediately: true).destroyed.count == 1)
        let error = await #expect(throws: StoreError.self) { try await fixture.store.publish(staged, fixture.draft()) }
        #expect(error?.code == .leaseExpired)
        #expect(try await fixture.read(again) == bytes)
    }
}
