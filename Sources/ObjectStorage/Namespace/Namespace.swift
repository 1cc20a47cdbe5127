import ArtifactStore
import Catalog
import Foundation

/// The object namespace as changes to rows, each called inside a caller's transaction.
///
/// Invariants: of the versions of a key, exactly the one with the lowest rank is `latest`; at most one is called
/// `null`; a store version that is `owned` is released with the last row that refers to it.
enum Namespace {
    // MARK: Finding

    /// The newest version of a key, delete markers included.
    static func latest(_ key: String, in bucket: BucketRow, _ transaction: Transaction) throws -> ObjectRow? {
        try transaction.row(
            "SELECT * FROM object_versions WHERE bucket = ? AND key = ? AND latest = 1", bucket.id, Array(key.utf8)
        ).map { try ObjectRow($0, in: bucket) }
    }

    /// A version of a key by its id.
    static func version(_ id: String, of key: String, in bucket: BucketRow, _ transaction: Transaction) throws
        -> ObjectRow?
    {
        try transaction.row(
            "SELECT * FROM object_versions WHERE bucket = ? AND key = ? AND version = ?", bucket.id, Array(key.utf8),
            id
        ).map { try ObjectRow($0, in: bucket) }
    }

    /// The version a reader means: the named one, or the newest. Throws `NoSuchKey`, `NoSuchVersion`, or, for a delete
    /// marker named by its id, `MethodNotAllowed`.
    static func resolve(_ key: String, version: String?, in bucket: BucketRow, _ transaction: Transaction) throws
        -> ObjectRow
    {
        guard let version else {
            guard let row = try latest(key, in: bucket, transaction) else { throw ObjectStorageError.noSuchKey(key) }
            guard !row.object.isDeleteMarker else {
                throw ObjectStorageError.deleted(key, marker: row.object.versionID)
            }
            return row
        }
        guard let row = try self.version(version, of: key, in: bucket, transaction) else {
            guard version == VersionIdentifier.null || VersionIdentifier.sequence(of: version) != nil else {
                throw ObjectStorageError.invalidVersion(version)
            }
            throw ObjectStorageError.noSuchVersion(key, version)
        }
        guard !row.object.isDeleteMarker else {
            throw ObjectStorageError(
                code: "MethodNotAllowed", message: "The specified method is not allowed against this resource.",
                resource: key,
                details: [
                    "ResourceType": "DeleteMarker",
                    ObjectStorageError.deleteMarkerDetail: version,
                ])
        }
        return row
    }

    // MARK: Writing

    /// Adds a version of a key as its newest, replacing what versioning says it replaces.
    static func insert(
        _ draft: ObjectDraft, in bucket: BucketRow, conditions: WriteConditions = .none, now: Date,
        _ transaction: Transaction
    ) throws -> StoredObject {
        let key = Array(draft.key.utf8)
        let current = try latest(draft.key, in: bucket, transaction)
        try check(conditions, against: current?.object, key: draft.key)
        let sequence = try Sequence.next(transaction)
        let keepsOld = bucket.bucket.versioning == .enabled
        let version = keepsOld ? VersionIdentifier.make(sequence: sequence) : VersionIdentifier.null
        if !keepsOld, let replaced = try self.version(version, of: draft.key, in: bucket, transaction) {
            try erase(replaced, now: now, transaction)
        }
        try transaction.execute(
            "UPDATE object_versions SET latest = 0 WHERE bucket = ? AND key = ? AND latest = 1", bucket.id, key)
        try transaction.execute(
            """
            INSERT INTO object_versions (
                bucket, key, rank, version, latest, marker, size, etag, modified, storage_class, owner, content, owned,
                presentation, parts, checksum_algorithm, checksum_type, checksum, encryption, encryption_key,
                encryption_context, bucket_key, upload, metadata, tags)
            VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            bucket.id, key, -sequence, version, draft.isDeleteMarker, draft.size, draft.etag, now, draft.storageClass,
            draft.owner, draft.content?.rawValue, draft.ownsContent, draft.presentation.rawValue, draft.segments.count,
            draft.checksum?.algorithm.rawValue, draft.checksum?.kind.rawValue, draft.checksum?.value,
            draft.encryption.columnName, draft.encryption.keyARN, try draft.encryption.contextColumn(),
            draft.encryption.usesBucketKey, draft.upload, try RowCoding.encode(draft.metadata),
            try RowCoding.encodeTags(draft.tags))
        try insert(draft.segments, of: sequence, transaction)
        guard let row = try latest(draft.key, in: bucket, transaction) else {
            throw CatalogError(.corrupt, "the row of an object vanished inside its transaction")
        }
        return row.object
    }

    private static func insert(_ segments: [ObjectDraft.Segment], of object: Int64, _ transaction: Transaction) throws {
        var start: Int64 = 0
        for (ordinal, segment) in segments.enumerated() {
            try transaction.execute(
                """
                INSERT INTO object_segments (
                    object, ordinal, part, start, size, content, owned, presentation, checksum)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                object, ordinal, segment.part, start, segment.size, segment.content.rawValue, segment.owned,
                segment.presentation.rawValue, segment.checksum)
            start += segment.size
        }
    }

    /// Throws unless `conditions` hold of the current version of a key.
    static func check(_ conditions: WriteConditions, against current: StoredObject?, key: String) throws {
        let live = current.flatMap { $0.isDeleteMarker ? nil : $0 }
        if let expected = conditions.ifMatch {
            guard let live else { throw ObjectStorageError.noSuchKey(key) }
            guard EntityTag.list(expected, contains: live.etag) else {
                throw ObjectStorageError.preconditionFailed("If-Match", key)
            }
        }
        if let refused = conditions.ifNoneMatch, let live, EntityTag.list(refused, contains: live.etag) {
            throw ObjectStorageError.preconditionFailed("If-None-Match", key)
        }
    }

    // MARK: Deleting

    /// Deletes one version for good and makes the next newest the latest.
    static func remove(_ row: ObjectRow, now: Date, _ transaction: Transaction) throws {
        try erase(row, now: now, transaction)
        guard row.object.isLatest else { return }
        try transaction.execute(
            """
            UPDATE object_versions SET latest = 1 WHERE bucket = ? AND key = ? AND rank = (
                SELECT MIN(rank) FROM object_versions WHERE bucket = ? AND key = ?)
            """,
            row.bucketID, Array(row.object.key.utf8), row.bucketID, Array(row.object.key.utf8))
    }

    /// Deletes a row and what only it referred to, leaving `latest` to the caller.
    private static func erase(_ row: ObjectRow, now: Date, _ transaction: Transaction) throws {
        try transaction.execute(
            "DELETE FROM object_versions WHERE bucket = ? AND key = ? AND rank = ?", row.bucketID,
            Array(row.object.key.utf8), row.rank)
        if row.owned, let content = row.object.content { try release(content.rawValue, now: now, transaction) }
        guard row.object.partCount > 0 else { return }
        let contents = try transaction.rows(
            "DELETE FROM object_segments WHERE object = ? RETURNING content AS content, owned AS owned",
            row.object.sequence)
        for content in contents where try content.bool("owned") {
            try release(content.string("content"), now: now, transaction)
        }
    }

    /// Deletes a store version unless another row still refers to it.
    static func release(_ content: String, now: Date, _ transaction: Transaction) throws {
        for table in ["object_versions", "object_segments", "object_parts"]
        where try transaction.row("SELECT 1 AS one FROM \(table) WHERE content = ? LIMIT 1", content) != nil {
            return
        }
        guard let id = VersionID(content) else { return }
        try ArtifactStore.release(id, at: now, in: transaction)
    }
}

/// Entity tags in conditions (RFC 9110 §8.8.3).
public enum EntityTag {
    /// Whether a condition's value, `*` or a list of tags with or without quotes, names `tag`.
    public static func list(_ value: String, contains tag: String) -> Bool {
        value.split(separator: ",").contains { item in
            let name = bare(String(item))
            return name == "*" || name == tag
        }
    }

    /// A tag without white space, weakness and quotes; clients also send quotes as the entity `&#34;`.
    public static func bare(_ value: String) -> String {
        var text = value.trimmingCharacters(in: .whitespaces)
        if text.hasPrefix("W/") { text.removeFirst(2) }
        text = text.replacingOccurrences(of: "&#34;", with: "\"").replacingOccurrences(of: "&quot;", with: "\"")
        // Each by itself: S3 takes tags that have lost one of their quotes.
        if text.hasPrefix("\"") { text.removeFirst() }
        if text.hasSuffix("\"") { text.removeLast() }
        return text
    }
}
