import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// A store over a real key hierarchy, removed when the fixture goes.
final class KeyedFixture: Sendable {
    let folder: FilePath
    let catalog: Catalog
    let keys: KeyHierarchy
    let store: ArtifactStore
    let scope = AccountRegion(account: "111122223333", region: "eu-west-1")

    init(now: @escaping @Sendable () -> Date = { Date() }) async throws {
        folder = FilePath(NSTemporaryDirectory()).appending("keyed-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        catalog = try Catalog(
            path: folder.appending("catalog.db").string, migrations: StoreSchema.migrations + KeySchema.migrations)
        keys = try await KeyHierarchy.create(
            catalog: catalog, root: RootLocation(directory: folder.string), now: now)
        var configuration = StoreConfiguration(directory: folder)
        configuration.threads = 2
        store = try await ArtifactStore(configuration: configuration, catalog: catalog, keys: keys, now: now)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder.string) }  // Leftovers in scratch space do no harm.

    func publish(_ bytes: [UInt8], artifact: String = "app", keyID: String? = nil) async throws -> Version {
        let ingest = try await store.beginIngest(scope: scope, keyID: keyID)
        return try await store.publish(
            try await ingest.addBlob(bytes),
            VersionDraft(scope: scope, repository: "web", artifact: artifact, createdBy: "test"))
    }

    func read(_ version: Version) async throws -> [UInt8] {
        try await store.read(version.id).collect(upTo: 1 << 24)
    }

    func wrapped(_ version: Version) async throws -> [UInt8] {
        try await store.row(version.id).bytes("data_key")
    }

    func setWrapped(_ bytes: [UInt8], _ version: Version) async throws {
        try await catalog.write {
            _ = try $0.execute("UPDATE store_versions SET data_key = ? WHERE id = ?", bytes, version.id.rawValue)
        }
    }
}

@Suite struct DataKeyTests {
    @Test("a version's data key is in an envelope that names the version, its artifact, account and Region")
    func envelope() async throws {
        let fixture = try await KeyedFixture()
        let version = try await fixture.publish(Array("content".utf8))
        let envelope = try ArtifactKeyEnvelope(parsing: try await fixture.wrapped(version))
        #expect(envelope.artifactID == version.id.bytes)
        #expect(envelope.generation == 1)
        #expect(envelope.recipients.map(\.keyARN) == [version.keyARN])
        #expect(
            envelope.recipients[0].context == [
                "coffer:version": version.id.rawValue, "coffer:account": "111122223333", "coffer:region": "eu-west-1",
                "coffer:repository": "web", "coffer:artifact": "app",
            ])
        #expect(try await fixture.read(version) == Array("content".utf8))
    }

    @Test("a version whose data key is a bare ciphertext, as earlier ones have it, stays readable")
    func bare() async throws {
        let fixture = try await KeyedFixture()
        let version = try await fixture.publish(Array("content".utf8))
        let binding = DataKeyBinding(version.id, version.draft)
        let opened = try await fixture.keys.openEnvelope(
            try await fixture.wrapped(version), of: version.id.bytes, context: binding.context)
        let key = try await fixture.keys.key(fixture.scope, version.keyID)
        let bare = try await fixture.keys.encrypt(
            opened.key, key, algorithm: "SYMMETRIC_DEFAULT", context: ["coffer:version": version.id.rawValue])
        try await fixture.setWrapped(bare, version)
        #expect(try await fixture.read(version) == Array("content".utf8))
        let unbound = try await fixture.keys.encrypt(
            opened.key, key, algorithm: "SYMMETRIC_DEFAULT", context: ["coffer:version": VersionID().rawValue])
        try await fixture.setWrapped(unbound, version)
        let refused = await #expect(throws: StoreError.self) { try await fixture.read(version) }
        #expect(refused?.code == .integrity)
    }

    @Test("envelopes exchanged between two versions, and rows moved to another account or artifact, are refused")
    func swapped() async throws {
        let fixture = try await KeyedFixture()
        let one = try await fixture.publish(Array("one".utf8))
        let two = try await fixture.publish(Array("two".utf8))
        let (first, second) = (try await fixture.wrapped(one), try await fixture.wrapped(two))
        try await fixture.setWrapped(second, one)
        var refused = await #expect(throws: StoreError.self) { try await fixture.read(one) }
        #expect(refused?.code == .integrity)
        try await fixture.setWrapped(first, one)
        _ = try await fixture.read(one)
        for column in ["account", "region", "repository", "artifact"] {
            let before = try await fixture.store.row(one.id).string(column)
            func set(_ value: String) async throws {
                try await fixture.catalog.write {
                    _ = try $0.execute(
                        "UPDATE store_versions SET \(column) = ? WHERE id = ?", value, one.id.rawValue)
                }
            }
            try await set("elsewhere")
            refused = await #expect(throws: StoreError.self) { try await fixture.read(one) }
            #expect(refused?.code == .integrity, "\(column)")
            try await set(before)
        }
        #expect(try await fixture.read(one) == Array("one".utf8))
    }

    @Test("any bit changed in a version's envelope is refused") func everyBit() async throws {
        let fixture = try await KeyedFixture()
        let version = try await fixture.publish([1, 2, 3])
        let binding = DataKeyBinding(version.id, version.draft)
        let keys = KeyHierarchyKeys(hierarchy: fixture.keys)
        let wrapped = try await fixture.wrapped(version)
        for bit in 0..<wrapped.count * 8 {
            let index = bit / 8
            var changed = wrapped
            changed[index] ^= 1 << (bit % 8)
            let bytes = changed
            await #expect(throws: (any Error).self, "byte \(index)") { try await keys.openDataKey(bytes, of: binding) }
        }
    }

    @Test("a disabled key ends reading at once") func disabled() async throws {
        let fixture = try await KeyedFixture()
        let key = try await fixture.keys.createKey(NewKMSKey(policy: "{}"), in: fixture.scope)
        let version = try await fixture.publish([1, 2, 3], keyID: key.keyID)
        try await fixture.keys.setEnabled(false, fixture.scope, key.keyID)
        let refused = await #expect(throws: StoreError.self) { try await fixture.read(version) }
        #expect(refused?.code == .keyUnavailable)
        try await fixture.keys.setEnabled(true, fixture.scope, key.keyID)
        #expect(try await fixture.read(version) == [1, 2, 3])
    }
}
