public import ArtifactStore
public import Catalog
public import Foundation
public import KeyHierarchy
public import Logging

/// S3-shaped buckets and versioned objects over the artifact store.
///
/// The bytes of an object are a blob version of the store (or an artifact's version, presented), its name and everything
/// said about it are rows; both become visible in one transaction, so that an acknowledged write is complete and a
/// failed one leaves nothing. Objects uploaded in parts keep their parts as they were stored: completing an upload moves
/// rows, not bytes.
///
/// All methods may be called from any task.
public final class ObjectStorage: Sendable {
    /// The store that holds the bytes.
    public let store: ArtifactStore
    let catalog: Catalog
    let keys: KeyHierarchy
    let now: @Sendable () -> Date
    let logger: Logger

    /// The limits that S3 publishes; parts may be made smaller for tests.
    public struct Limits: Sendable {
        /// The least size of a part that is not the last, in bytes.
        public var partBytesMin: Int64 = 5 << 20
        /// The greatest number of a part.
        public var partNumberMax = 10_000
        /// The most keys in a page.
        public var pageMax = 1000

        /// S3's own limits.
        public init() {}
    }

    /// The limits in force.
    public let limits: Limits

    /// The namespace kept in `catalog`, whose schema must include `ObjectSchema`, over `store`.
    public init(
        store: ArtifactStore, catalog: Catalog, keys: KeyHierarchy, limits: Limits = Limits(),
        now: @escaping @Sendable () -> Date = { Date() }, logger: Logger = Logger(label: "objects")
    ) {
        self.store = store
        self.catalog = catalog
        self.keys = keys
        self.limits = limits
        self.now = now
        self.logger = logger
    }
}
