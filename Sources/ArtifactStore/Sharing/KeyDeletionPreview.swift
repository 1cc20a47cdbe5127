import Catalog
import Foundation
public import KeyHierarchy

/// What would become unreadable if a key could not be used any more.
public struct KeyDeletionPreview: Sendable {
    /// The key.
    public let keyARN: String
    /// Versions under it that are not deleted.
    public let versionCount: Int
    /// Their bytes, before deduplication.
    public let logicalBytes: Int64
    /// The newest of them, as many as were asked for.
    public let versions: [Version]
    /// Their pins, holds and deployment records.
    public let pins: [Pin]
    /// Shares whose recipients read with it. Shares of the versions that other keys open go on for their recipients.
    public let shares: [ArtifactShare]
    /// Shares through which recipients could read versions under the key all the same.
    public let survivingShares: [ArtifactShare]
    /// Dedup domains whose secret the key wraps: nothing more could be written into them.
    public let domainCount: Int
}

extension ArtifactStore {
    /// Lists what depends on a key. Changes nothing.
    ///
    /// - Parameter limit: versions that are listed one by one, at most 1,000; the counts are of all.
    public func previewDeletion(of key: KMSKeyReference, limit: Int = 100) async throws -> KeyDeletionPreview {
        let arn = key.keyARN
        let time = now()
        let limit = min(max(limit, 1), 1000)
        let found = try await catalog.read { [pinRecords] transaction in
            let sums = try transaction.row(
                """
                SELECT COUNT(*) AS versions, COALESCE(SUM(logical_bytes), 0) AS bytes FROM store_versions
                WHERE key_arn = ? AND deleted_at IS NULL
                """, arn)
            let rows = try transaction.rows(
                """
                SELECT * FROM store_versions WHERE key_arn = ? AND deleted_at IS NULL
                ORDER BY created_at DESC, number DESC, id LIMIT ?
                """, arn, limit)
            let pins = try transaction.rows(
                """
                SELECT * FROM store_pins WHERE (expires_at IS NULL OR expires_at > ?) AND version IN
                    (SELECT id FROM store_versions WHERE key_arn = ? AND deleted_at IS NULL)
                ORDER BY version, name LIMIT 1000
                """, time.milliseconds, arn)
            let domains = try transaction.row(
                "SELECT COUNT(*) AS domains FROM key_dedup WHERE key_arn = ? AND state <> 'destroyed'", arn)
            return (
                count: try sums?.int("versions") ?? 0, bytes: try sums?.int64("bytes") ?? 0, rows: rows,
                pins: try pins.map { try pinRecords.checked($0, transaction) },
                domains: try domains?.int("domains") ?? 0
            )
        }
        let active = try await hierarchy.allShares().filter { $0.isActive(at: time) }
        let others = active.filter { $0.keyARN != arn }
        return KeyDeletionPreview(
            keyARN: arn, versionCount: found.count, logicalBytes: found.bytes,
            versions: try await versions(found.rows), pins: found.pins, shares: active.filter { $0.keyARN == arn },
            survivingShares: try await of(others, under: arn), domainCount: found.domains)
    }

    /// The shares among these that are of versions under a key.
    private func of(_ shares: [ArtifactShare], under arn: String) async throws -> [ArtifactShare] {
        try await catalog.read { transaction in
            try shares.filter { share in
                try transaction.row(
                    "SELECT id FROM store_versions WHERE id = ? AND key_arn = ? AND deleted_at IS NULL", share.version,
                    arn) != nil
            }
        }
    }

    /// Whether an execution left versions under a key.
    public func hasVersions(ofExecution execution: String, under key: KMSKeyReference) async throws -> Bool {
        try await catalog.read { transaction in
            try transaction.row(
                "SELECT id FROM store_versions WHERE execution = ? AND key_arn = ? AND deleted_at IS NULL LIMIT 1",
                execution, key.keyARN) != nil
        }
    }
}
