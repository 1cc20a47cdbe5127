import Catalog
import Cryptography
import Foundation
import KeyHierarchy

/// Size, tag and shape of a version's ZIP view.
struct PreparedZip: Sendable {
    var byteCount: Int64
    var etag: String
    var shape: [UInt8]
}

/// Everything about a version that is known before its transaction.
struct PreparedVersion: Sendable {
    let id: VersionID
    let draft: VersionDraft
    let staged: StagedContent
    let dataKey: SecretBytes
    let wrapped: [UInt8]
    let zip: PreparedZip
    let newStoredBytes: Int64
    let createdAt: Date
    let summary: [UInt8]
    let contentKey: [UInt8]
    /// The ids of the records that the root leads to.
    let roots: [UInt8]
    /// What was made ahead, should the version get the number that was guessed.
    let expected: ExpectedVersion?

    func insert(_ transaction: Transaction) throws -> Version {
        let row = try transaction.row(
            """
            SELECT COALESCE(MAX(number), 0) AS last FROM store_versions
            WHERE account = ? AND region = ? AND repository = ? AND artifact = ?
            """, draft.scope.account, draft.scope.region, draft.repository, draft.artifact)
        let number = Int(try row?.natural("last") ?? 0)
        let version = version(number: number + 1)
        let root = try manifest(version.number)
        let domain = staged.ingest.session.domain
        try transaction.execute(
            """
            INSERT INTO store_versions (id, account, region, repository, artifact, number, execution, execution_number,
                stage, action, action_execution, created_by, attributes, key_id, key_arn, root_kind, content_key, summary,
                logical_bytes, new_stored_bytes, file_count, zip_bytes, zip_etag, zip_number, zip_shape, domain_id,
                domain_epoch, roots, root, data_key, created_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            id.rawValue, draft.scope.account, draft.scope.region, draft.repository, draft.artifact, version.number,
            draft.execution, draft.executionNumber, draft.stage, draft.action, draft.actionExecution, draft.createdBy,
            try VersionRow.encode(draft.attributes), version.keyID, version.keyARN, version.rootKind.rawValue,
            contentKey,
            summary, version.logicalBytes, newStoredBytes, version.fileCount, zip.byteCount, zip.etag, 1, zip.shape,
            domain.id, Int64(domain.epoch), roots, root, wrapped, createdAt.milliseconds)
        for tag in draft.tags { try Tags.set(tag, on: version, at: createdAt.milliseconds, transaction) }
        return version
    }

    private func manifest(_ number: Int) throws -> [UInt8] {
        // What could not be made ahead is made again, and says why it cannot be.
        if let expected, expected.number == number, let root = try? expected.root.value() { return root }
        return try RootManifest.seal(staged.root.encode(), dataKey: dataKey, version: id, number: number)
    }

    private func version(number: Int) -> Version {
        Version(
            id: id, number: number, draft: draft, keyID: staged.ingest.key.id, keyARN: staged.ingest.key.arn,
            rootKind: staged.rootKind, contentID: staged.contentID, logicalBytes: staged.logicalBytes,
            newStoredBytes: newStoredBytes, fileCount: staged.fileCount, createdAt: createdAt, deletedAt: nil,
            zip: Version.Presentation(byteCount: zip.byteCount, etag: zip.etag, number: 1))
    }
}

/// What is made for a version while the rest is prepared, under the number and at the place in the log that it will get
/// when nobody comes first.
struct ExpectedVersion: Sendable {
    let number: Int
    /// The sealed manifest.
    let root: Ahead<[UInt8]>
    /// The log's entry; nil when the place cannot be guessed.
    let entry: Ahead<VersionLogEntry?>
}
