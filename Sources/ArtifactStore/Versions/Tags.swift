import Catalog
import KeyHierarchy

/// Names that move from version to version of one artifact.
enum Tags {
    static func set(_ tag: String, on version: Version, at time: Int64, _ transaction: Transaction) throws {
        try check(tag)
        try transaction.execute(
            """
            INSERT INTO store_tags (account, region, repository, artifact, tag, version, set_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (account, region, repository, artifact, tag)
                DO UPDATE SET version = excluded.version, set_at = excluded.set_at
            """,
            version.draft.scope.account, version.draft.scope.region, version.draft.repository, version.draft.artifact,
            tag,
            version.id.rawValue, time)
    }

    /// A tag must not look like any other way to name a version.
    static func check(_ tag: String) throws {
        let allowed = tag.utf8.allSatisfy { byte in
            byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A || byte >= 0x61 && byte <= 0x7A
                || byte == 0x2D || byte == 0x2E || byte == 0x5F
        }
        guard allowed, !tag.isEmpty, tag.utf8.count <= 128, tag != "latest", tag.contains(where: \.isLetter),
            VersionID(tag) == nil
        else {
            throw StoreError.invalid(
                "\(tag) cannot be a tag: use 1 to 128 letters, digits, '.', '-' and '_', at least one letter, not 'latest'"
            )
        }
    }
}
