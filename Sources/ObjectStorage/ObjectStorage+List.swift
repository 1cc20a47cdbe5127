import Catalog
import Foundation

extension ObjectStorage {
    /// A page of the current objects of a bucket, in the order of their keys' UTF-8 bytes.
    public func list(_ bucket: String, _ query: ListQuery = ListQuery()) async throws -> ListPage {
        let query = clamped(query)
        return try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            var walk = PrefixWalk(prefix: query.prefix, delimiter: query.delimiter, limit: query.limit)
            let entries = try walk.run(from: walk.start(after: query.after)) { position, limit in
                let comparison = position.rank == nil ? "key >= ?" : "key > ?"
                let sql = """
                    SELECT \(ObjectSummary.columns) FROM object_versions
                    WHERE bucket = ? AND latest = 1 AND marker = 0 AND \(comparison)
                    """
                let end = PrefixWalk.successor(of: Array(query.prefix.utf8))
                let rows =
                    if let end {
                        try transaction.rows(
                            sql + " AND key < ? ORDER BY key LIMIT ?", row.id, position.key, end, limit)
                    } else {
                        try transaction.rows(sql + " ORDER BY key LIMIT ?", row.id, position.key, limit)
                    }
                return try rows.map(ObjectSummary.init)
            } place: {
                (Array($0.key.utf8), $0.rank)
            }
            return Self.page(entries, walk)
        }
    }

    /// A page of all versions and delete markers, by key and then newest first.
    ///
    /// - Parameter afterVersion: with `query.after` a key: only versions of that key that come after this one; `nil`
    ///   leaves out the whole key.
    public func listVersions(_ bucket: String, _ query: ListQuery = ListQuery(), afterVersion: String? = nil)
        async throws -> ListPage
    {
        let query = clamped(query)
        return try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            var walk = PrefixWalk(prefix: query.prefix, delimiter: query.delimiter, limit: query.limit)
            var start = walk.start(after: query.after)
            if let afterVersion, !query.after.isEmpty, start.rank != nil {
                start.rank = try Self.rank(afterVersion, of: query.after, in: row, transaction)
            }
            let entries = try walk.run(from: start) { position, limit in
                try Self.fetchVersions(row.id, position, prefix: query.prefix, limit, transaction)
            } place: {
                (Array($0.key.utf8), $0.rank)
            }
            var page = Self.page(entries, walk)
            page.lastVersionID = walk.lastWasPrefix ? nil : entries.last?.versionID
            return page
        }
    }

    private static func fetchVersions(
        _ bucket: Int64, _ position: PrefixWalk.Position, prefix: String, _ limit: Int, _ transaction: Transaction
    ) throws -> [ObjectSummary] {
        let comparison = position.rank == nil ? "key >= ?" : "(key, rank) > (?, ?)"
        var sql = "SELECT \(ObjectSummary.columns) FROM object_versions WHERE bucket = ? AND \(comparison)"
        let end = PrefixWalk.successor(of: Array(prefix.utf8))
        if end != nil { sql += " AND key < ?" }
        sql += " ORDER BY key, rank LIMIT ?"
        let rows =
            switch (position.rank, end) {
            case (nil, nil): try transaction.rows(sql, bucket, position.key, limit)
            case (nil, let end?): try transaction.rows(sql, bucket, position.key, end, limit)
            case (let rank?, nil): try transaction.rows(sql, bucket, position.key, rank, limit)
            case (let rank?, let end?): try transaction.rows(sql, bucket, position.key, rank, end, limit)
            }
        return try rows.map(ObjectSummary.init)
    }

    /// Where a version stands among those of its key, even when it has been deleted since.
    private static func rank(_ version: String, of key: String, in bucket: BucketRow, _ transaction: Transaction) throws
        -> Int64?
    {
        if let sequence = VersionIdentifier.sequence(of: version) { return -sequence }
        guard version == VersionIdentifier.null else {
            throw ObjectStorageError.invalidVersion(version)
        }
        // A vanished `null` version says nothing about its place: rather show the key's versions again than skip some.
        return try Namespace.version(version, of: key, in: bucket, transaction)?.rank
    }

    private static func page(_ entries: [ObjectSummary], _ walk: PrefixWalk) -> ListPage {
        ListPage(
            entries: entries, commonPrefixes: walk.commonPrefixes, isTruncated: walk.isTruncated,
            lastKey: walk.lastKey)
    }

    func clamped(_ query: ListQuery) -> ListQuery {
        var query = query
        query.limit = max(0, min(query.limit, limits.pageMax))
        return query
    }
}
