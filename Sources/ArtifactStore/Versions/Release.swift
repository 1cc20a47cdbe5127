public import Catalog
public import Foundation

extension ArtifactStore {
    /// Deletes a version inside a caller's transaction, so that what referred to it and the version go together: it
    /// vanishes from lists, can be brought back for a while, and is collected after that.
    ///
    /// - Returns: false when a pin keeps the version, or there is none of this name that is not deleted already.
    @discardableResult
    public static func release(_ id: VersionID, at time: Date, in transaction: Transaction) throws -> Bool {
        let changed = try transaction.execute(
            """
            UPDATE store_versions SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM store_pins WHERE version = ? AND (expires_at IS NULL OR expires_at > ?))
            """,
            time.milliseconds, id.rawValue, id.rawValue, time.milliseconds)
        guard changed == 1 else { return false }
        try transaction.execute("DELETE FROM store_tags WHERE version = ?", id.rawValue)
        return true
    }
}
