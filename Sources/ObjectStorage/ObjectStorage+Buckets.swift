import Catalog
import Foundation
public import KeyHierarchy

extension ObjectStorage {
    /// What came of a request to make a bucket.
    public enum BucketCreation: Sendable, Hashable {
        /// It is new.
        case created
        /// The same account had it already; nothing was changed.
        case alreadyOwned
    }

    /// Makes a bucket. Bucket names are unique on the whole server.
    ///
    /// Throws `InvalidBucketName`, or `BucketAlreadyExists` when another account has a bucket of this name.
    @discardableResult
    public func createBucket(_ name: String, in scope: AccountRegion, versioning: VersioningState = .off) async throws
        -> BucketCreation
    {
        try BucketName.validate(name)
        let created = now()
        return try await catalog.write { transaction in
            if let row = try transaction.row("SELECT * FROM object_buckets WHERE name = ?", name) {
                guard try BucketRow(row).bucket.scope.account == scope.account else {
                    throw ObjectStorageError(
                        code: "BucketAlreadyExists",
                        message: "The requested bucket name is not available. The bucket namespace is shared by all "
                            + "accounts of this server. Please select a different name and try again.",
                        resource: name, details: ["BucketName": name])
                }
                return .alreadyOwned
            }
            try transaction.execute(
                """
                INSERT INTO object_buckets (id, name, account, region, versioning, created, encryption, bucket_key)
                VALUES (?, ?, ?, ?, ?, ?, 'AES256', 0)
                """,
                try Sequence.next(transaction), name, scope.account, scope.region, versioning.rawValue, created)
            return .created
        }
    }

    /// The bucket called `name`. Throws `NoSuchBucket`.
    public func headBucket(_ name: String) async throws -> Bucket {
        try await catalog.read { try BucketRow.named(name, $0).bucket }
    }

    /// The buckets of an account in the order of their names, at most `limit` after `marker`.
    public func listBuckets(
        account: String, prefix: String = "", region: String? = nil, after marker: String = "", limit: Int = 10_000
    ) async throws -> [Bucket] {
        try await catalog.read { transaction in
            // Names are ASCII, for which every collation in use agrees with the order of bytes.
            let end = prefix + "\u{7F}"
            return try transaction.rows(
                """
                SELECT * FROM object_buckets WHERE account = ? AND name > ? AND name >= ? AND name < ?
                    AND (CAST(? AS TEXT) IS NULL OR region = ?) ORDER BY name LIMIT ?
                """,
                account, marker, prefix, end, region, region, limit
            ).map { try BucketRow($0).bucket }
        }
    }

    /// Deletes an empty bucket with its documents; uploads in progress are aborted.
    ///
    /// Throws `NoSuchBucket`, or `BucketNotEmpty` while it has any object, version or delete marker.
    public func deleteBucket(_ name: String) async throws {
        let now = now()
        try await catalog.write { transaction in
            let row = try BucketRow.named(name, transaction)
            let first = try transaction.row("SELECT 1 AS one FROM object_versions WHERE bucket = ? LIMIT 1", row.id)
            guard first == nil else {
                throw ObjectStorageError(
                    code: "BucketNotEmpty",
                    message: row.bucket.versioning == .off
                        ? "The bucket you tried to delete is not empty"
                        : "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
                    resource: name, details: ["BucketName": name])
            }
            for upload in try transaction.rows("SELECT id AS id FROM object_uploads WHERE bucket = ?", row.id) {
                try Multipart.discard(upload.string("id"), now: now, transaction)
            }
            try transaction.execute("DELETE FROM object_documents WHERE bucket = ?", row.id)
            try transaction.execute("DELETE FROM object_buckets WHERE id = ?", row.id)
        }
    }

    /// Turns versioning on or suspends it. Throws `NoSuchBucket`; `off` cannot be returned to and is refused.
    public func setVersioning(_ state: VersioningState, of name: String) async throws {
        guard state != .off else {
            throw ObjectStorageError(
                code: "IllegalVersioningConfigurationException",
                message: "Versioning can be Enabled or Suspended; once enabled, it cannot be turned off.",
                resource: name)
        }
        try await catalog.write { transaction in
            let row = try BucketRow.named(name, transaction)
            try transaction.execute(
                "UPDATE object_buckets SET versioning = ? WHERE id = ?", state.rawValue, row.id)
        }
    }
}

extension ObjectStorage {
    /// Sets how objects are encrypted whose writer does not say. Throws `NoSuchBucket`, or a refusal from KMS when there
    /// is no such key.
    public func setDefaultEncryption(_ request: EncryptionRequest, usesBucketKey: Bool = false, of name: String)
        async throws
    {
        let bucket = try await headBucket(name)
        let (encryption, _) = try await resolve(request, for: bucket, key: "")
        try await catalog.write { transaction in
            let row = try BucketRow.named(name, transaction)
            try transaction.execute(
                "UPDATE object_buckets SET encryption = ?, encryption_key = ?, bucket_key = ? WHERE id = ?",
                encryption.columnName, encryption.keyARN, usesBucketKey, row.id)
        }
    }
}
