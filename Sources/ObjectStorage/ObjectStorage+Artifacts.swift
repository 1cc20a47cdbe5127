public import ArtifactStore
public import Catalog
import Foundation
import KeyHierarchy

/// How a pipeline's artifact appears as an object: the store's version stays the artifact's own, the object shows it.
extension ObjectStorage {
    /// Registers a store version as an object inside a transaction of the caller's: a tree appears as a ZIP archive, a
    /// blob as its own bytes.
    ///
    /// Deleting the object later does not delete the version.
    ///
    /// - Throws: `NoSuchBucket`, `KeyTooLongError`.
    @discardableResult
    public func register(
        _ version: Version, bucket: String, key: String, options: ObjectOptions = ObjectOptions(),
        in transaction: Transaction
    ) throws -> StoredObject {
        try ObjectKey.validate(key)
        let row = try BucketRow.named(bucket, transaction)
        var draft = ObjectDraft(key: key, owner: options.owner ?? row.bucket.scope.account)
        draft.size = version.zip.byteCount
        draft.etag = version.zip.etag
        draft.metadata = options.metadata
        if draft.metadata.contentType == nil, version.rootKind == .tree {
            draft.metadata.contentType = "application/zip"
        }
        draft.tags = options.tags
        draft.storageClass = options.storageClass
        draft.encryption = .kms(KMSEncryption(keyARN: version.keyARN))
        draft.content = version.id
        draft.ownsContent = false
        draft.presentation = version.rootKind == .tree ? .zip : .bytes
        return try Namespace.insert(draft, in: row, now: now(), transaction)
    }

    /// What to hand to `ArtifactStore.publish(_:_:also:)` so that an artifact's version and its object appear in one
    /// transaction.
    public func artifactRows(bucket: String, key: String, options: ObjectOptions = ObjectOptions())
        -> @Sendable (Transaction, Version) throws -> Void
    {
        { transaction, version in
            try self.register(version, bucket: bucket, key: key, options: options, in: transaction)
        }
    }

    /// Makes an existing version of the store appear as an object.
    @discardableResult
    public func put(
        bucket: String, key: String, presenting id: VersionID, options: ObjectOptions = ObjectOptions()
    ) async throws -> StoredObject {
        let version = try await store.version(id)
        let object = try await catalog.write { transaction in
            try self.register(version, bucket: bucket, key: key, options: options, in: transaction)
        }
        return object
    }

    /// What to set as `StoreConfiguration.presentationChanged`: objects that show the version as a ZIP follow it.
    ///
    /// - Throws: `StoreError` with `.retained` when the ZIP is a part of an object that was put together from parts, which
    ///   would have other bytes.
    public static func presentationChanged(
        _ id: VersionID, byteCount: Int64, etag: String, _ transaction: Transaction
    ) throws {
        let zip = ObjectPresentation.zip.rawValue
        let part = try transaction.row(
            "SELECT object FROM object_segments WHERE content = ? AND presentation = ? LIMIT 1", id.rawValue, zip)
        guard part == nil else {
            throw StoreError(
                .retained,
                "the ZIP of version \(id) is a part of an S3 object, whose bytes would change; delete that first")
        }
        try transaction.execute(
            "UPDATE object_versions SET size = ?, etag = ? WHERE content = ? AND presentation = ?", byteCount, etag,
            id.rawValue, zip)
    }
}
