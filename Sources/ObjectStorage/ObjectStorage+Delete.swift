import Catalog
import Foundation
import KeyHierarchy

/// A key, and possibly one of its versions, to delete.
public struct ObjectIdentifier: Sendable, Hashable {
    /// The key.
    public let key: String
    /// The version to delete for good; `nil` hides the key behind a delete marker where versions are kept.
    public let versionID: String?
    /// Delete only if the current version's entity tag is this; `*` for any.
    public let ifMatch: String?

    /// A key and possibly a version.
    public init(key: String, versionID: String? = nil, ifMatch: String? = nil) {
        self.key = key
        self.versionID = versionID
        self.ifMatch = ifMatch
    }
}

/// What came of a deletion.
public struct ObjectDeletion: Sendable, Hashable {
    /// What was asked for.
    public let identifier: ObjectIdentifier
    /// The delete marker that was made, or the version that was deleted; `nil` where nothing has versions.
    public let versionID: String?
    /// Whether a delete marker was made or deleted.
    public let isDeleteMarker: Bool
    /// Why nothing was deleted.
    public let error: ObjectStorageError?
}

extension ObjectStorage {
    /// Deletes an object or one version of it. Deleting what does not exist succeeds.
    @discardableResult
    public func delete(
        bucket: String, key: String, versionID: String? = nil, ifMatch: String? = nil, owner: String? = nil
    ) async throws -> ObjectDeletion {
        let identifier = ObjectIdentifier(key: key, versionID: versionID, ifMatch: ifMatch)
        let deletions = try await delete(bucket: bucket, [identifier], owner: owner)
        guard let deletion = deletions.first else { throw ObjectStorageError.noSuchKey(key) }
        if let error = deletion.error { throw error }
        return deletion
    }

    /// Deletes many objects in one transaction. A refusal of one is reported in its place and does not stop the others.
    public func delete(bucket: String, _ identifiers: [ObjectIdentifier], owner: String? = nil) async throws
        -> [ObjectDeletion]
    {
        let now = now()
        let deletions = try await catalog.write { transaction in
            let row = try BucketRow.named(bucket, transaction)
            return try identifiers.map { identifier in
                do {
                    return try Self.delete(
                        identifier, in: row, owner: owner ?? row.bucket.scope.account, now: now, transaction)
                } catch let error as ObjectStorageError {
                    return ObjectDeletion(identifier: identifier, versionID: nil, isDeleteMarker: false, error: error)
                }
            }
        }
        return deletions
    }

    /// Every check comes before the first change, so that a refusal inside a batch leaves nothing half done.
    private static func delete(
        _ identifier: ObjectIdentifier, in bucket: BucketRow, owner: String, now: Date, _ transaction: Transaction
    ) throws -> ObjectDeletion {
        try ObjectKey.validate(identifier.key)
        if let version = identifier.versionID {
            return try delete(identifier, version: version, in: bucket, now: now, transaction)
        }
        let current = try Namespace.latest(identifier.key, in: bucket, transaction)
        if let tag = identifier.ifMatch {
            try Namespace.check(WriteConditions(ifMatch: tag), against: current?.object, key: identifier.key)
        }
        guard bucket.bucket.versioning != .off else {
            if let current { try Namespace.remove(current, now: now, transaction) }
            return ObjectDeletion(identifier: identifier, versionID: nil, isDeleteMarker: false, error: nil)
        }
        var draft = ObjectDraft(key: identifier.key, owner: owner)
        draft.isDeleteMarker = true
        let marker = try Namespace.insert(draft, in: bucket, now: now, transaction)
        return ObjectDeletion(identifier: identifier, versionID: marker.versionID, isDeleteMarker: true, error: nil)
    }

    private static func delete(
        _ identifier: ObjectIdentifier, version: String, in bucket: BucketRow, now: Date, _ transaction: Transaction
    ) throws -> ObjectDeletion {
        guard version == VersionIdentifier.null || VersionIdentifier.sequence(of: version) != nil else {
            throw ObjectStorageError.noSuchVersion(identifier.key, version)
        }
        guard let row = try Namespace.version(version, of: identifier.key, in: bucket, transaction) else {
            return ObjectDeletion(identifier: identifier, versionID: version, isDeleteMarker: false, error: nil)
        }
        if let tag = identifier.ifMatch {
            try Namespace.check(WriteConditions(ifMatch: tag), against: row.object, key: identifier.key)
        }
        try Namespace.remove(row, now: now, transaction)
        return ObjectDeletion(
            identifier: identifier, versionID: version, isDeleteMarker: row.object.isDeleteMarker, error: nil)
    }

    /// Replaces the tags of a version of an object. Returns the version.
    @discardableResult
    public func setTags(_ tags: [ObjectTag], bucket: String, key: String, versionID: String? = nil) async throws
        -> StoredObject
    {
        try await catalog.write { transaction in
            let bucket = try BucketRow.named(bucket, transaction)
            let row = try Namespace.resolve(key, version: versionID, in: bucket, transaction)
            try transaction.execute(
                "UPDATE object_versions SET tags = ? WHERE bucket = ? AND key = ? AND rank = ?",
                try RowCoding.encodeTags(tags), row.bucketID, Array(key.utf8), row.rank)
            return row.object
        }
    }
}
