import Catalog
import Foundation

/// The kinds of configuration that a bucket keeps as the document that was put.
public enum BucketDocument: String, Sendable, Hashable, CaseIterable {
    case accelerate
    case acl
    case cors
    case encryption
    case lifecycle
    case logging
    case notification
    case objectLock = "object-lock"
    case ownershipControls
    case policy
    case publicAccessBlock
    case requestPayment
    case tagging
    case website
}

extension ObjectStorage {
    /// Keeps `body` as the bucket's document of a kind, in place of an earlier one.
    public func putDocument(_ kind: BucketDocument, _ body: [UInt8], of bucket: String) async throws {
        let changed = now()
        try await catalog.write { transaction in
            let row = try BucketRow.named(bucket, transaction)
            try transaction.execute(
                """
                INSERT INTO object_documents (bucket, kind, body, changed) VALUES (?, ?, ?, ?)
                ON CONFLICT (bucket, kind) DO UPDATE SET body = excluded.body, changed = excluded.changed
                """,
                row.id, kind.rawValue, body, changed)
        }
    }

    /// The bucket's document of a kind, or `nil`. Throws `NoSuchBucket`.
    public func document(_ kind: BucketDocument, of bucket: String) async throws -> [UInt8]? {
        try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            return try transaction.row(
                "SELECT body AS body FROM object_documents WHERE bucket = ? AND kind = ?", row.id, kind.rawValue
            )?.bytes("body")
        }
    }

    /// Removes the bucket's document of a kind, if it has one. Throws `NoSuchBucket`.
    public func deleteDocument(_ kind: BucketDocument, of bucket: String) async throws {
        try await catalog.write { transaction in
            let row = try BucketRow.named(bucket, transaction)
            try transaction.execute(
                "DELETE FROM object_documents WHERE bucket = ? AND kind = ?", row.id, kind.rawValue)
        }
    }
}
