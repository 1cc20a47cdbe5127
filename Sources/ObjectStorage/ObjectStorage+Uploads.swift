import Catalog
import Foundation

/// A page of uploads in progress.
public struct UploadPage: Sendable, Hashable {
    /// Uploads by key and then in the order they were begun.
    public var uploads: [MultipartUpload] = []
    /// Common prefixes, in order.
    public var commonPrefixes: [String] = []
    /// Whether there is more.
    public var isTruncated = false
    /// The last key or common prefix of the page.
    public var lastKey: String?
    /// The last upload id; `nil` after a common prefix.
    public var lastUploadID: String?
}

extension ObjectStorage {
    /// A page of the uploads in progress of a bucket.
    ///
    /// - Parameter afterUpload: with `query.after` a key: only uploads of that key begun after this one.
    public func listUploads(_ bucket: String, _ query: ListQuery = ListQuery(), afterUpload: String? = nil)
        async throws -> UploadPage
    {
        let query = clamped(query)
        return try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            var walk = PrefixWalk(prefix: query.prefix, delimiter: query.delimiter, limit: query.limit)
            var start = walk.start(after: query.after)
            if start.rank != nil, let afterUpload {
                let other = try transaction.row(
                    "SELECT key FROM object_uploads WHERE id = ? AND bucket = ? AND key <> ?", afterUpload, row.id,
                    Array(query.after.utf8))
                // Of an upload that has ended since, the id still says where it stood.
                guard other == nil, let sequence = VersionIdentifier.sequence(of: afterUpload) else {
                    throw ObjectStorageError(
                        code: "InvalidArgument", message: "Invalid uploadId marker",
                        details: ["ArgumentName": "upload-id-marker", "ArgumentValue": afterUpload])
                }
                start.rank = sequence
            }
            let uploads = try walk.run(from: start) { position, limit in
                let sql = "SELECT * FROM object_uploads WHERE bucket = ? AND "
                let order = " ORDER BY key, rank LIMIT ?"
                let rows =
                    if let rank = position.rank {
                        try transaction.rows(
                            sql + "(key, rank) > (?, ?)" + order, row.id, position.key, rank, limit)
                    } else {
                        try transaction.rows(sql + "key >= ?" + order, row.id, position.key, limit)
                    }
                return try rows.map(Multipart.Upload.init)
            } place: {
                (Array($0.key.utf8), $0.rank)
            }
            return UploadPage(
                uploads: uploads.map { MultipartUpload($0, bucket: bucket) }, commonPrefixes: walk.commonPrefixes,
                isTruncated: walk.isTruncated, lastKey: walk.lastKey,
                lastUploadID: walk.lastWasPrefix ? nil : uploads.last?.id)
        }
    }
}
