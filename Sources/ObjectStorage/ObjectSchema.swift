public import Catalog

/// The tables of the object namespace.
///
/// Keys are stored as bytes, so that an index walks them in UTF-8 byte order on every database. Versions of a key carry
/// a `rank` that is the negated sequence number: ascending order is newest first. `latest` marks the newest version of
/// each key and is maintained in the transaction that changes it; listing current objects reads the partial index only.
public enum ObjectSchema {
    /// What `Catalog` applies, in order.
    public static let migrations: [Migration] = [
        Migration("object-001", buckets + versions + multipart + housekeeping),
        Migration("object-002", encryptionContexts),
    ]

    private static let buckets = [
        """
        CREATE TABLE object_buckets (
            id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, account TEXT NOT NULL, region TEXT NOT NULL,
            versioning TEXT NOT NULL, created BIGINT NOT NULL, encryption TEXT NOT NULL, encryption_key TEXT,
            bucket_key INTEGER NOT NULL)
        """,
        "CREATE INDEX object_buckets_owner ON object_buckets (account, name)",
        """
        CREATE TABLE object_documents (
            bucket BIGINT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, changed BIGINT NOT NULL,
            PRIMARY KEY (bucket, kind))
        """,
    ]

    private static let versions = [
        """
        CREATE TABLE object_versions (
            bucket BIGINT NOT NULL, key BLOB NOT NULL, rank BIGINT NOT NULL, version TEXT NOT NULL,
            latest INTEGER NOT NULL, marker INTEGER NOT NULL, size BIGINT NOT NULL, etag TEXT NOT NULL,
            modified BIGINT NOT NULL, storage_class TEXT NOT NULL, owner TEXT NOT NULL,
            content TEXT, owned INTEGER NOT NULL, presentation INTEGER NOT NULL, parts INTEGER NOT NULL,
            checksum_algorithm TEXT, checksum_type TEXT, checksum TEXT,
            encryption TEXT NOT NULL, encryption_key TEXT, upload TEXT, metadata TEXT NOT NULL, tags TEXT NOT NULL,
            PRIMARY KEY (bucket, key, rank))
        """,
        """
        CREATE UNIQUE INDEX object_versions_latest ON object_versions (bucket, key) WHERE latest = 1
        """,
        """
        CREATE INDEX object_versions_current ON object_versions (bucket, key) WHERE latest = 1 AND marker = 0
        """,
        "CREATE INDEX object_versions_content ON object_versions (content) WHERE content IS NOT NULL",
        """
        CREATE TABLE object_segments (
            object BIGINT NOT NULL, ordinal INTEGER NOT NULL, part INTEGER NOT NULL, start BIGINT NOT NULL,
            size BIGINT NOT NULL, content TEXT NOT NULL, owned INTEGER NOT NULL, presentation INTEGER NOT NULL,
            checksum TEXT, PRIMARY KEY (object, ordinal))
        """,
        "CREATE INDEX object_segments_content ON object_segments (content)",
    ]

    private static let multipart = [
        """
        CREATE TABLE object_uploads (
            id TEXT NOT NULL PRIMARY KEY, bucket BIGINT NOT NULL, key BLOB NOT NULL, rank BIGINT NOT NULL,
            initiated BIGINT NOT NULL, owner TEXT NOT NULL, checksum_algorithm TEXT, checksum_type TEXT,
            encryption TEXT NOT NULL, encryption_key TEXT, storage_class TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL)
        """,
        "CREATE INDEX object_uploads_key ON object_uploads (bucket, key, rank)",
        """
        CREATE TABLE object_parts (
            upload TEXT NOT NULL, part INTEGER NOT NULL, size BIGINT NOT NULL, etag TEXT NOT NULL,
            modified BIGINT NOT NULL, content TEXT NOT NULL, owned INTEGER NOT NULL, checksums TEXT NOT NULL,
            PRIMARY KEY (upload, part))
        """,
        "CREATE INDEX object_parts_content ON object_parts (content)",
    ]

    /// What binds the data key of objects under KMS keys.
    private static let encryptionContexts = ["object_versions", "object_uploads"].flatMap { table in
        [
            "ALTER TABLE \(table) ADD COLUMN encryption_context TEXT",
            "ALTER TABLE \(table) ADD COLUMN bucket_key INTEGER NOT NULL DEFAULT 0",
        ]
    }

    private static let housekeeping = [
        "CREATE TABLE object_sequence (id INTEGER NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
        "INSERT INTO object_sequence (id, value) VALUES (1, 0)",
    ]
}
