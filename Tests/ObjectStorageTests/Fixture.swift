import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import Synchronization
import SystemPackage

@testable import ObjectStorage

/// An object namespace over a real store in a directory of its own, removed with the fixture.
final class Fixture: Sendable {
    let directory: String
    let catalog: Catalog
    let store: ArtifactStore
    let objects: ObjectStorage
    private let ticks = Ticks()
    let scope = AccountRegion(account: "111122223333", region: "eu-central-1")

    init(partBytesMin: Int64 = 5) async throws {
        directory = NSTemporaryDirectory() + "coffer-objects-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalog = try Catalog(
            path: directory + "/catalog.db",
            migrations: KeySchema.migrations + StoreSchema.migrations + ObjectSchema.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: directory))
        store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: FilePath(directory + "/store")), catalog: catalog, keys: keys)
        var limits = ObjectStorage.Limits()
        limits.partBytesMin = partBytesMin
        let ticks = ticks
        objects = ObjectStorage(
            store: store, catalog: catalog, keys: keys, limits: limits, now: { ticks.next() })
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Moves the clock on.
    func advance(days: Double) { ticks.advance(days * 86400) }

    /// Makes a bucket.
    func bucket(_ name: String = "bucket", _ versioning: VersioningState = .off) async throws -> String {
        try await objects.createBucket(name, in: scope, versioning: versioning)
        return name
    }

    /// Writes a short text.
    @discardableResult
    func put(_ bucket: String, _ key: String, _ text: String = "x", conditions: WriteConditions = .none) async throws
        -> StoredObject
    {
        try await objects.put(bucket: bucket, key: key, bytes: Array(text.utf8), conditions: conditions)
    }

    /// Reads an object as text.
    func text(_ bucket: String, _ key: String, _ version: String? = nil, range: Range<Int64>? = nil) async throws
        -> String
    {
        let object = try await objects.head(bucket: bucket, key: key, versionID: version)
        let bytes = try await objects.read(object, range: range).collect(upTo: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The number of rows of a table.
    func count(_ table: String) async throws -> Int {
        try await catalog.read { try $0.row("SELECT COUNT(*) AS n FROM \(table)")?.int("n") ?? 0 }
    }
}

/// A clock that moves a second whenever it is read.
final class Ticks: Sendable {
    private let seconds = Mutex(1_700_000_000.0)

    func advance(_ by: Double) { seconds.withLock { $0 += by } }

    func next() -> Date {
        seconds.withLock { seconds in
            seconds += 1
            return Date(timeIntervalSince1970: seconds)
        }
    }
}

/// The code of the refusal that `body` throws; `nil` when it succeeds.
func refusal(_ body: () async throws -> Void) async throws -> String? {
    do {
        try await body()
        return nil
    } catch let error as ObjectStorageError {
        return error.code
    }
}

/// SplitMix64: small, seedable, the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

extension Fixture {
    /// Whether the store was told that a version is needed no more.
    func isReleased(_ content: VersionID) async throws -> Bool {
        try await store.version(content).deletedAt != nil
    }
}
