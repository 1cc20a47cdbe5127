import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct ReencryptionTests {
    /// What a version says and holds: everything that a re-encryption must not change.
    private struct Snapshot: Equatable {
        var number: Int
        var contentID: SHA256Digest
        var digests: [String: SHA256Digest?]
        var tags: [String]
        var pins: Set<String>
        var reasons: Set<String>
    }

    private static func snapshot(_ id: VersionID, _ store: ArtifactStore) async throws -> Snapshot {
        let version = try await store.version(id)
        var digests: [String: SHA256Digest?] = [:]
        if version.rootKind == .tree {
            for entry in try await store.entries(of: id) {
                guard entry.kind == .file else { continue }
                let (_, stream) = try await store.readFile(id, path: entry.path)
                digests[entry.path] = SHA256.digest(try await stream.collect(upTo: 1 << 30))
            }
        } else {
            digests[""] = SHA256.digest(try await store.read(id).collect(upTo: 1 << 30))
        }
        let pins = try await store.pins(of: id)
        return Snapshot(
            number: version.number, contentID: version.contentID, digests: digests,
            tags: try await store.tags(of: id), pins: Set(pins.map(\.name)),
            reasons: Set(try await store.why(id).map(\.kind)))
    }

    /// A store with blobs, directories, shared content, a tag, a pin and a deleted version.
    private static func furnish(_ fixture: StoreFixture, seed: UInt64) async throws -> [VersionID] {
        var generator = SeededGenerator(seed: seed)
        let big = generator.bytes(700 << 10)
        var changed = big
        changed[300_000] ^= 1
        let text = generator.text(40_000)
        var files: [String: [UInt8]] = ["big.bin": big, "a/text.txt": text, "a/b/tiny": [1, 2, 3], "empty": []]
        for index in 0..<40 { files["many/file-\(index)"] = generator.text(200 + index * 37) }
        var ids: [VersionID] = []
        ids.append(try await fixture.publish(big, tags: ["first"]).id)
        ids.append(try await fixture.publish(changed).id)
        ids.append(try await fixture.publish(directory: try fixture.directory("one", files), artifact: "tree").id)
        files["a/text.txt"] = generator.text(50_000)
        ids.append(try await fixture.publish(directory: try fixture.directory("two", files), artifact: "tree").id)
        ids.append(try await fixture.publish([7], artifact: "small").id)
        ids.append(try await fixture.publish([], artifact: "empty").id)
        try await fixture.store.pin(ids[0], name: "keep", owner: "test")
        try await fixture.store.pin(ids[3], name: "prod", kind: .deployment, owner: "test")
        return ids
    }

    private static func epochs(_ fixture: StoreFixture) async throws -> Set<Int> {
        try await fixture.catalog.read { transaction in
            Set(try transaction.rows("SELECT domain_epoch FROM store_versions").map { try $0.int("domain_epoch") })
        }
    }

    @Test("Everything is stored anew, reads as before, and nothing of the old epoch is left")
    func everything() async throws {
        let fixture = try await StoreFixture(configure: {
            $0.undeleteSeconds = 0
            $0.dataPackBytes = 512 << 10
        })
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 21)
        var before: [Snapshot] = []
        for id in ids { before.append(try await Self.snapshot(id, fixture.store)) }
        let oldIDs = try await fixture.catalog.read { transaction in
            Set(
                try transaction.rows("SELECT roots FROM store_versions WHERE roots <> ?", [UInt8]()).map {
                    try $0.bytes("roots")
                })
        }
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        await #expect(throws: StoreError.self) {
            try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        }
        let ended = try await fixture.store.runJob(job.id)
        #expect(ended.state == .done, "\(ended.message)")
        #expect(ended.done == ids.count && ended.total == ids.count && ended.skipped == 0)
        #expect(try await Self.epochs(fixture) == [2])
        let newIDs = try await fixture.catalog.read { transaction in
            Set(
                try transaction.rows("SELECT roots FROM store_versions WHERE roots <> ?", [UInt8]()).map {
                    try $0.bytes("roots")
                })
        }
        #expect(oldIDs.isDisjoint(with: newIDs))
        for (id, snapshot) in zip(ids, before) { #expect(try await Self.snapshot(id, fixture.store) == snapshot) }
        #expect(try await fixture.store.retireDomainEpochs(immediately: true).destroyed.count == 1)
        try await fixture.store.collect()
        try await fixture.store.collect()
        #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
        let later = try await fixture.reopened()
        for (id, snapshot) in zip(ids, before) { #expect(try await Self.snapshot(id, later.store) == snapshot) }
        #expect(try await later.store.scrub(.deep).damage.isEmpty)
    }

    @Test("What is pushed again after a re-encryption is found in the new epoch")
    func deduplication() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var generator = SeededGenerator(seed: 22)
        let bytes = generator.bytes(900 << 10)
        let files = ["big": generator.bytes(400 << 10), "small": generator.text(9000)]
        _ = try await fixture.publish(bytes)
        let folder = try fixture.directory("d", files)
        _ = try await fixture.publish(directory: folder, artifact: "tree")
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(job.id).state == .done)
        #expect(try await fixture.publish(bytes).newStoredBytes == 0)
        let again = try await fixture.publish(directory: folder, artifact: "tree")
        #expect(again.newStoredBytes < 1000, "nothing but the manifest, which holds the directory")
    }

    @Test("Versions are re-encrypted while others are published, read, deleted and collected")
    func concurrent() async throws {
        let fixture = try await StoreFixture(configure: { $0.dataPackBytes = 512 << 10 })
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 23)
        let store = fixture.store
        let job = try await store.startReencryption(in: fixture.scope, by: "test")
        let late = try await store.beginIngest(scope: fixture.scope)
        let staged = try await late.addBlob([UInt8](repeating: 9, count: 100_000))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await store.runJob(job.id) }
            group.addTask {
                for round in 0..<4 {
                    _ = try await fixture.publish([UInt8](repeating: UInt8(round), count: 80_000), artifact: "late")
                }
            }
            group.addTask { for _ in 0..<3 { try await store.collect() } }
            group.addTask { for id in ids { _ = try await Self.snapshot(id, store) } }
            try await group.waitForAll()
        }
        let old = try await store.publish(staged, fixture.draft("late"))
        _ = try await store.resumeJob(job.id)
        let ended = try await store.runJob(job.id)
        #expect(ended.state == .done && ended.skipped == 0, "\(ended.message)")
        #expect(try await Self.epochs(fixture).count == 1)
        #expect(try await fixture.read(old).count == 100_000)
        #expect(try await store.scrub(.deep).damage.isEmpty)
    }

    @Test("A reader that began before the switch reads to the end, though the old records are collected")
    func readers() async throws {
        let fixture = try await StoreFixture(configure: { $0.dataPackBytes = 256 << 10 })
        defer { fixture.remove() }
        var generator = SeededGenerator(seed: 24)
        let bytes = generator.bytes(1 << 20)
        let version = try await fixture.publish(bytes)
        var iterator = try await fixture.store.read(version.id).makeAsyncIterator()
        var read = try #require(try await iterator.next())
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(job.id).state == .done)
        try await fixture.store.collect()
        try await fixture.store.collect()
        while let piece = try await iterator.next() { read += piece }
        #expect(read == bytes)
    }

    @Test("A disabled key leaves versions as they are, listed, until the job is resumed")
    func disabled() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 25)
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        fixture.keys.setDisabled(true)
        let ended = try await fixture.store.runJob(job.id)
        #expect(ended.state == .done && ended.skipped == ids.count && ended.done == 0)
        #expect(try await fixture.store.skippedVersions(ofJob: job.id).count == ids.count)
        fixture.keys.setDisabled(false)
        #expect(try await fixture.store.resumeJob(job.id).skipped == 0)
        // The epochs could not be begun while the key was disabled.
        let second = try await fixture.store.runJob(job.id)
        #expect(second.state == .done && second.skipped == 0)
        let third = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(third.id).done == ids.count)
        #expect(try await Self.epochs(fixture).count == 1)
    }

    @Test("A damaged version is left in its epoch and listed; the others go on")
    func damaged() async throws {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend)
        defer { fixture.remove() }
        var generator = SeededGenerator(seed: 26)
        let bad = try await fixture.publish(generator.bytes(300 << 10), artifact: "bad")
        try await fixture.store.close()
        let packs = try backend.list()
        for name in packs {
            let length = Int(try backend.length(name) ?? 0)
            if length > 50_000 { backend.corrupt(name) { $0[length / 2] ^= 1 } }
        }
        let good = try await fixture.publish(generator.bytes(200 << 10), artifact: "good")
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        let ended = try await fixture.store.runJob(job.id)
        #expect(ended.state == .done && ended.done == 1 && ended.skipped == 1, "\(ended.message)")
        let skipped = try await fixture.store.skippedVersions(ofJob: job.id)
        #expect(skipped.map(\.version) == [bad.id])
        #expect(try await fixture.read(good).count == 200 << 10)
    }

    @Test("A cancelled job stops and can be resumed; another can begin only when it is not at work")
    func cancel() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 27)
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.cancelJob(job.id).state == .cancelled)
        await #expect(throws: StoreError.self) { try await fixture.store.cancelJob(job.id) }
        #expect(try await fixture.store.runJob(job.id).done == 0)
        _ = try await fixture.store.resumeJob(job.id)
        let later = try await fixture.reopened()
        // As a server does at its start: what was running goes on.
        let worker = Task { await later.store.runJobs() }
        while try await later.store.job(job.id).state == .running { await Task.yield() }
        worker.cancel()
        await worker.value
        #expect(try await later.store.job(job.id).done == ids.count)
    }

    @Test("A ZIP that is a part of something else is left as it is, listed, and the version is read as before")
    func retainedPresentation() async throws {
        // With keys of its own for each run, chunks of another version might be cut otherwise as well.
        let fixture = try await StoreFixture(
            keys: EphemeralStoreKeys(seed: 9),
            configure: { configuration in
                configuration.undeleteSeconds = 0
                configuration.presentationChanged = { id, _, _, _ in
                    throw StoreError(.retained, "the ZIP of version \(id) is a part of an S3 object")
                }
            })
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 9)
        // As another encoder would have made it.
        _ = try await fixture.catalog.write { transaction in
            try transaction.execute("UPDATE store_versions SET zip_shape = ? WHERE id = ?", [1, 2, 3], ids[2].rawValue)
        }
        let before = try await Self.snapshot(ids[2], fixture.store)
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        let done = try await fixture.store.runJob(job.id)
        // Others may be among them: under the new epoch's key large files are cut elsewhere, which makes another ZIP.
        #expect(done.state == .done && done.skipped >= 1)
        #expect(try await fixture.store.skippedVersions(ofJob: job.id).map(\.version).contains(ids[2]))
        #expect(try await Self.snapshot(ids[2], fixture.store) == before)
        let error = await #expect(throws: StoreError.self) { try await fixture.store.isolate(ids[2]) }
        #expect(error?.code == .retained)
    }

    @Test("Versions move to another key with their content")
    func otherKey() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 28)
        let job = try await fixture.store.startReencryption(
            in: fixture.scope, key: "default", targetKey: "other", by: "test")
        #expect(try await fixture.store.runJob(job.id).done == ids.count)
        for id in ids {
            #expect(try await fixture.store.version(id).keyID == "other")
            _ = try await Self.snapshot(id, fixture.store)
        }
        let count = try await fixture.catalog.read { transaction in
            try transaction.rows("SELECT DISTINCT domain_id FROM store_versions").count
        }
        #expect(count == 1)
    }

    @Test("A re-wrap changes data keys and nothing else")
    func rewrap() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ids = try await Self.furnish(fixture, seed: 29)
        let job = try await fixture.store.startRewrap(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(job.id).done == ids.count)
        for id in ids { _ = try await Self.snapshot(id, fixture.store) }
        let again = try await fixture.store.startRewrap(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(again.id).done == 0)
    }
}

@Suite struct KeyedReencryptionTests {
    @Test("Over the real hierarchy: rotate the KMS key, re-wrap, re-encrypt, destroy the old epoch, read all")
    func hierarchy() async throws {
        let folder = FilePath(NSTemporaryDirectory()).appending("keyed-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let scope = AccountRegion(account: "111122223333", region: "eu-west-1")
        let catalog = try Catalog(
            path: folder.appending("catalog.db").string, migrations: KeySchema.migrations + StoreSchema.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: folder.string))
        let store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: folder), catalog: catalog, keys: keys)
        var generator = SeededGenerator(seed: 30)
        let bytes = generator.bytes(500 << 10)
        let ingest = try await store.beginIngest(scope: scope)
        let draft = VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "test")
        let version = try await store.publish(try await ingest.addBlob(bytes), draft)
        let key = try await keys.resolveKey(nil, in: scope)

        let idle = try await store.startRewrap(in: scope, key: key.keyARN, by: "test")
        #expect(try await store.runJob(idle.id).done == 0)
        try await keys.rotateOnDemand(scope, key.keyID)
        let before = try await store.row(version.id).bytes("data_key")
        let rewrap = try await store.startRewrap(in: scope, key: key.keyARN, by: "test")
        #expect(try await store.runJob(rewrap.id).done == 1)
        let after = try await store.row(version.id).bytes("data_key")
        #expect(before != after)

        let job = try await store.startReencryption(in: scope, by: "test")
        #expect(try await store.runJob(job.id).done == 1)
        #expect(try await store.row(version.id).bytes("data_key") == after)
        #expect(try await store.retireDomainEpochs(immediately: true).destroyed.count == 1)
        _ = try await store.rotateStorageKey(destroyingOld: true)
        _ = try await keys.rotateKeyring(region: scope.region)
        try await keys.destroyKeyringKey(region: scope.region, version: 1)

        try await store.close()
        let reopened = try await KeyHierarchy.open(catalog: catalog, root: RootLocation(directory: folder.string))
        let later = try await ArtifactStore(
            configuration: StoreConfiguration(directory: folder), catalog: catalog, keys: reopened)
        #expect(try await later.read(version.id).collect(upTo: 1 << 20) == bytes)
        #expect(try await later.scrub(.deep).damage.isEmpty)
    }
}
