import Catalog
import Compression
public import KeyHierarchy

/// How much the store holds. Factors are kept apart: what deduplication saves and what compression saves.
public struct StoreStatistics: Sendable, Hashable {
    /// Versions that are not deleted.
    public var versionCount = 0
    /// Deleted versions that can be brought back.
    public var deletedCount = 0
    /// Bytes of all files of all versions.
    public var logicalBytes: Int64 = 0
    /// Bytes of distinct chunks, trees and lists, before compression, and of the versions' manifests.
    public var uniqueBytes: Int64 = 0
    /// Bytes on disk: packs with padding and indexes, and what the database holds of content.
    public var storedBytes: Int64 = 0
    /// Bytes of the sealed manifests of versions, which are in the database and hold small content themselves.
    public var manifestBytes: Int64 = 0
    /// Bytes of small commits that are still in the database.
    public var journalBytes: Int64 = 0
    /// Packs by state.
    public var openPacks = 0
    /// Packs that are complete.
    public var sealedPacks = 0
    /// Packs that nothing refers to and that go once no ingest can revive them.
    public var condemnedPacks = 0
    /// Bytes of condemned packs.
    public var condemnedBytes: Int64 = 0
    /// Records in packs.
    public var recordCount = 0
    /// Entries of the chunk index.
    public var indexEntries = 0
    /// Records known to be damaged.
    public var damagedRecords = 0
    /// The library that compresses what is stored now: `igzip` or `zlib`.
    public var encoder = ""

    /// Logical bytes per unique byte.
    public var deduplicationFactor: Double { uniqueBytes == 0 ? 1 : Double(logicalBytes) / Double(uniqueBytes) }
    /// Unique bytes per stored byte.
    public var compressionFactor: Double { storedBytes == 0 ? 1 : Double(uniqueBytes) / Double(storedBytes) }
}

extension ArtifactStore {
    /// What the store holds now. Cheap: from the tables.
    public func statistics() async throws -> StoreStatistics {
        var result = try await catalog.read { transaction -> StoreStatistics in
            var result = StoreStatistics()
            if let row = try transaction.row(
                "SELECT COUNT(*) AS n, COALESCE(SUM(logical_bytes), 0) AS bytes FROM store_versions WHERE deleted_at IS NULL"
            ) {
                result.versionCount = try row.int("n")
                result.logicalBytes = try row.int64("bytes")
            }
            // Those of deleted versions too, as their other content.
            result.manifestBytes = try Self.manifestBytes(transaction)
            result.deletedCount =
                try transaction.row("SELECT COUNT(*) AS n FROM store_versions WHERE deleted_at IS NOT NULL")?.int("n")
                ?? 0
            result.damagedRecords = try transaction.row("SELECT COUNT(*) AS n FROM store_damage")?.int("n") ?? 0
            for row in try transaction.rows("SELECT state, length, records, plain_bytes FROM store_packs") {
                let length = try row.natural("length")
                switch PackInfo.State(rawValue: try row.int("state")) {
                case .open: result.openPacks += 1
                case .sealed: result.sealedPacks += 1
                case .condemned:
                    result.condemnedPacks += 1
                    result.condemnedBytes += length
                case .deleted, nil: continue
                }
                result.storedBytes += length
                result.recordCount += Int(try row.natural("records"))
                result.uniqueBytes += try row.natural("plain_bytes")
            }
            return result
        }
        for record in packs.journal.all {
            result.journalBytes += Int64(record.record.count)
            result.uniqueBytes += Int64(record.plainBytes)
        }
        result.storedBytes += result.journalBytes + result.manifestBytes
        result.uniqueBytes += result.manifestBytes
        result.indexEntries = packs.index.entryCount
        result.encoder = CompressionEngine.resolve(.automatic, level: configuration.compressionLevel).rawValue
        return result
    }

    /// Stored bytes that only this version needs: what deleting it would free. Walks everything else once.
    public func exclusiveBytes(of id: VersionID) async throws -> Int64 {
        _ = try await row(id)
        return try await exclusiveBytes(of: [id])
    }

    /// Stored bytes that only the versions of one repository (pipeline), or of one of its artifacts, need.
    public func exclusiveBytes(
        ofRepository repository: String, artifact: String? = nil, in scope: AccountRegion
    ) async throws -> Int64 {
        let ids = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT id FROM store_versions WHERE account = ? AND region = ? AND repository = ?
                    AND (CAST(? AS TEXT) IS NULL OR artifact = ?)
                """, scope.account, scope.region, repository, artifact, artifact
            ).map(VersionRow.id)
        }
        return try await exclusiveBytes(of: Set(ids))
    }

    private func exclusiveBytes(of ids: Set<VersionID>) async throws -> Int64 {
        let (without, _) = try await mark(except: ids)
        let (with, _) = try await mark()
        // Together, because records may be moved from the journal to packs between the two.
        func bytes(_ marks: Marks) -> Int { marks.liveBytes.values.reduce(marks.journalBytes, +) }
        let manifests = try await catalog.read { transaction in
            try ids.reduce(Int64(0)) { sum, id in try sum + Self.manifestBytes(transaction, of: id) }
        }
        return Int64(max(0, bytes(with) - bytes(without))) + manifests
    }

    private static func manifestBytes(_ transaction: Transaction, of id: VersionID? = nil) throws -> Int64 {
        try transaction.row(
            """
            SELECT COALESCE(SUM(LENGTH(root)), 0) AS bytes FROM store_versions
            WHERE CAST(? AS TEXT) IS NULL OR id = ?
            """, id?.rawValue, id?.rawValue)?.int64("bytes") ?? 0
    }
}
