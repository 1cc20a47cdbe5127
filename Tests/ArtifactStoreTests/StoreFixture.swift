import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// A store in a folder of its own, removed when the fixture goes.
final class StoreFixture: Sendable {
    let folder: FilePath
    let keys: EphemeralStoreKeys
    let catalog: Catalog
    let store: ArtifactStore
    let scope = AccountRegion(account: "111122223333", region: "eu-west-1")

    init(
        backend: (any BlobBackend)? = nil, keys: EphemeralStoreKeys = EphemeralStoreKeys(), folder: FilePath? = nil,
        now: @escaping @Sendable () -> Date = { Date() }, configure: (inout StoreConfiguration) -> Void = { _ in }
    ) async throws {
        self.folder = folder ?? FilePath(NSTemporaryDirectory()).appending("store-\(UUID().uuidString)")
        self.keys = keys
        try FileManager.default.createDirectory(atPath: self.folder.string, withIntermediateDirectories: true)
        catalog = try Catalog(path: self.folder.appending("catalog.db").string, migrations: StoreSchema.migrations)
        var configuration = StoreConfiguration(directory: self.folder)
        configuration.threads = 2
        configure(&configuration)
        store = try await ArtifactStore(
            configuration: configuration, catalog: catalog, keys: keys, backend: backend, now: now)
    }

    /// Stops without any farewell, as a crash would, and opens the folder again.
    func reopened(
        backend: (any BlobBackend)? = nil, now: @escaping @Sendable () -> Date = { Date() },
        configure: (inout StoreConfiguration) -> Void = { _ in }
    ) async throws -> StoreFixture {
        try catalog.close()
        return try await StoreFixture(backend: backend, keys: keys, folder: folder, now: now, configure: configure)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder.string) }

    func draft(_ artifact: String = "app", tags: [String] = []) -> VersionDraft {
        VersionDraft(scope: scope, repository: "web", artifact: artifact, createdBy: "test", tags: tags)
    }

    func publish(_ bytes: [UInt8], artifact: String = "app", tags: [String] = []) async throws -> Version {
        let ingest = try await store.beginIngest(scope: scope)
        return try await store.publish(try await ingest.addBlob(bytes), draft(artifact, tags: tags))
    }

    func publish(directory: FilePath, artifact: String = "app") async throws -> Version {
        let ingest = try await store.beginIngest(scope: scope)
        return try await store.publish(try await ingest.addDirectory(directory), draft(artifact))
    }

    /// Makes a directory of files.
    func directory(_ name: String, _ files: [String: [UInt8]]) throws -> FilePath {
        let root = folder.appending(name)
        for (path, bytes) in files {
            let file = URL(fileURLWithPath: root.string + "/" + path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        return root
    }

    func read(_ version: Version, _ range: Range<Int64>? = nil) async throws -> [UInt8] {
        try await store.read(version.id, range: range).collect(upTo: 1 << 30)
    }
}

/// Reproducible randomness; the seed is printed by tests that use it.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Random bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        result.withUnsafeMutableBytes { buffer in
            var index = 0
            while index + 8 <= count {
                buffer.storeBytes(of: next(), toByteOffset: index, as: UInt64.self)
                index += 8
            }
            while index < count {
                buffer[index] = UInt8(truncatingIfNeeded: next())
                index += 1
            }
        }
        return result
    }

    /// Bytes that compress: words from a small vocabulary.
    mutating func text(_ count: Int) -> [UInt8] {
        let words = ["func ", "return ", "let ", "value", "=", "{\n", "}\n", "public ", "index", "(", ")", "0x", " + "]
        var result: [UInt8] = []
        result.reserveCapacity(count + 16)
        while result.count < count { result += Array(words[Int(next() % UInt64(words.count))].utf8) }
        return Array(result.prefix(count))
    }
}
