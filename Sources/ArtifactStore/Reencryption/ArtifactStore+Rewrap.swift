import Catalog
import KeyHierarchy

extension ArtifactStore {
    /// Wraps a version's data key anew, for its owner and for everybody it is shared with. Tells whether there was anything
    /// to do. Content, manifest and data key stay.
    func rewrap(_ row: Row, _ job: StoreJob, _ cursor: JobCursor) async throws -> Bool {
        let (id, draft) = (try VersionRow.id(row), try VersionRow.draft(row))
        var key = StoreKeyReference(id: try row.string("key_id"), arn: try row.string("key_arn"))
        if let arn = job.targetKeyARN { key = try await keys.resolve(arn, in: draft.scope) }
        let old = try row.bytes("data_key")
        guard let new = try await keys.rewrapDataKey(old, of: DataKeyBinding(id, draft), under: key) else {
            return false
        }
        let (target, time) = (key, now().milliseconds)
        try await catalog.write { transaction in
            let changed = try transaction.execute(
                """
                UPDATE store_versions SET data_key = ?, key_id = ?, key_arn = ?, revision = revision + 1
                WHERE id = ? AND data_key = ?
                """, new, target.id, target.arn, id.rawValue, old)
            guard changed == 1 else { throw StoreError(.leaseExpired, "version \(id) was changed meanwhile") }
            try Self.advance(job, cursor, bytes: 0, at: time, transaction)
        }
        return true
    }
}
