import ArtifactStore
import Catalog
import Foundation

/// Uploads in progress as changes to rows, each called inside a caller's transaction.
enum Multipart {
    /// One row of `object_uploads`.
    struct Upload: Sendable {
        let id: String
        let key: String
        /// The sequence number: uploads of a key are listed as they were begun.
        let rank: Int64
        let initiated: Date
        let owner: String
        let checksum: (algorithm: ChecksumAlgorithm, kind: ObjectChecksum.Kind)?
        let encryption: ObjectEncryption
        let storageClass: String
        let metadata: ObjectMetadata
        let tags: [ObjectTag]

        init(_ row: Row) throws {
            id = try row.string("id")
            key = String(decoding: try row.bytes("key"), as: UTF8.self)
            rank = try row.int64("rank")
            initiated = try row.date("initiated")
            owner = try row.string("owner")
            if let algorithm = try row.optionalString("checksum_algorithm").flatMap(ChecksumAlgorithm.init(rawValue:)) {
                let kind = try row.optionalString("checksum_type").flatMap(ObjectChecksum.Kind.init(rawValue:))
                checksum = (algorithm, kind ?? algorithm.multipartDefault)
            } else {
                checksum = nil
            }
            encryption = try RowCoding.objectEncryption(row)
            storageClass = try row.string("storage_class")
            metadata = try RowCoding.metadata(try row.string("metadata"))
            tags = try RowCoding.tags(try row.string("tags"))
        }
    }

    /// One row of `object_parts`.
    struct Part: Sendable {
        let number: Int
        let size: Int64
        let etag: String
        let modified: Date
        let content: VersionID
        let owned: Bool
        /// Base64 by algorithm.
        let checksums: [String: String]

        init(_ row: Row) throws {
            number = try row.int("part")
            size = try row.int64("size")
            etag = try row.string("etag")
            modified = try row.date("modified")
            let text = try row.string("content")
            guard let id = VersionID(text) else {
                throw CatalogError(.mismatch, "a part of an upload refers to \(text), which is no version id")
            }
            content = id
            owned = try row.bool("owned")
            checksums = try JSONDecoder().decode(
                [String: String].self, from: Data(try row.string("checksums").utf8))
        }
    }

    /// The upload with this id under this key. Throws `NoSuchUpload`.
    static func upload(_ id: String, key: String, in bucket: BucketRow, _ transaction: Transaction) throws -> Upload {
        let row = try transaction.row(
            "SELECT * FROM object_uploads WHERE id = ? AND bucket = ? AND key = ?", id, bucket.id, Array(key.utf8))
        guard let row else { throw ObjectStorageError.noSuchUpload(id) }
        return try Upload(row)
    }

    /// The parts of an upload in the order of their numbers.
    static func parts(of upload: String, after: Int = 0, limit: Int = 10_001, _ transaction: Transaction) throws
        -> [Part]
    {
        try transaction.rows(
            "SELECT * FROM object_parts WHERE upload = ? AND part > ? ORDER BY part LIMIT ?", upload, after, limit
        ).map(Part.init)
    }

    /// Adds a part in place of an earlier one with its number.
    static func addPart(
        _ number: Int, of upload: String, size: Int64, etag: String, content: VersionID, owned: Bool,
        checksums: [String: String], now: Date, _ transaction: Transaction
    ) throws {
        let replaced = try transaction.row(
            "DELETE FROM object_parts WHERE upload = ? AND part = ? RETURNING content AS content, owned AS owned",
            upload, number)
        try transaction.execute(
            """
            INSERT INTO object_parts (upload, part, size, etag, modified, content, owned, checksums)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            upload, number, size, etag, now, content.rawValue, owned, try RowCoding.encode(checksums))
        if let replaced, try replaced.bool("owned") {
            try Namespace.release(replaced.string("content"), now: now, transaction)
        }
    }

    /// Removes an upload and its parts; parts that became segments of an object stay.
    static func discard(_ upload: String, now: Date, _ transaction: Transaction) throws {
        let parts = try transaction.rows(
            "DELETE FROM object_parts WHERE upload = ? RETURNING content AS content, owned AS owned", upload)
        try transaction.execute("DELETE FROM object_uploads WHERE id = ?", upload)
        for part in parts where try part.bool("owned") {
            try Namespace.release(part.string("content"), now: now, transaction)
        }
    }
}
