import Catalog
import Foundation
import KeyHierarchy

/// A bucket and the number its rows carry.
struct BucketRow: Sendable {
    let id: Int64
    let bucket: Bucket

    /// The bucket called `name`. Throws `NoSuchBucket`.
    static func named(_ name: String, _ transaction: Transaction) throws -> BucketRow {
        guard let row = try transaction.row("SELECT * FROM object_buckets WHERE name = ?", name) else {
            throw ObjectStorageError.noSuchBucket(name)
        }
        return try BucketRow(row)
    }

    init(_ row: Row) throws {
        id = try row.int64("id")
        bucket = Bucket(
            name: try row.string("name"),
            scope: AccountRegion(account: try row.string("account"), region: try row.string("region")),
            versioning: VersioningState(rawValue: try row.string("versioning")) ?? .off,
            createdAt: try row.date("created"), encryption: try RowCoding.encryption(row),
            usesBucketKey: try row.bool("bucket_key"))
    }
}

/// The server-wide counter that orders versions and numbers buckets.
enum Sequence {
    static func next(_ transaction: Transaction) throws -> Int64 {
        let row = try transaction.row(
            "UPDATE object_sequence SET value = value + 1 WHERE id = 1 RETURNING value AS value")
        guard let row else { throw CatalogError(.corrupt, "the table object_sequence has lost its row") }
        return try row.int64("value")
    }
}
