public import Catalog

/// The tables of the key hierarchy. Every key in them is sealed; records that decide about access carry codes.
public enum KeySchema {
    /// The steps of the schema, in order.
    public static let migrations: [Migration] = [
        Migration(
            "key-001",
            [
                // Keys of the instance itself, sealed under the root: storage, row, journal, token, service keys.
                """
                CREATE TABLE key_instance (
                    kind TEXT NOT NULL, version BIGINT NOT NULL, state TEXT NOT NULL, sealed BLOB NOT NULL,
                    created_at BIGINT NOT NULL, PRIMARY KEY (kind, version))
                """,
                // Domain keyrings, one a Region, sealed under the root.
                """
                CREATE TABLE key_keyring (
                    region TEXT NOT NULL, version BIGINT NOT NULL, state TEXT NOT NULL, sealed BLOB NOT NULL,
                    created_at BIGINT NOT NULL, PRIMARY KEY (region, version))
                """,
                // Backing keys of KMS keys, sealed under the Region's keyring.
                """
                CREATE TABLE key_backing (
                    account TEXT NOT NULL, region TEXT NOT NULL, key_id TEXT NOT NULL, version BIGINT NOT NULL,
                    sealed BLOB NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (account, region, key_id, version))
                """,
                // Keys, aliases and grants as documents with an authentication code.
                """
                CREATE TABLE key_record (
                    kind TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, aux TEXT NOT NULL,
                    document TEXT NOT NULL, sequence BIGINT NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (kind, scope, id))
                """,
                "CREATE INDEX key_record_parent ON key_record (kind, parent, id)",
                "CREATE INDEX key_record_aux ON key_record (kind, aux, id)",
                // The security journal: one entry a change, each chained to the one before.
                """
                CREATE TABLE key_journal (
                    sequence BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, scope TEXT NOT NULL,
                    id TEXT NOT NULL, action TEXT NOT NULL, digest BLOB NOT NULL, chain BLOB NOT NULL)
                """,
                "CREATE INDEX key_journal_record ON key_journal (kind, scope, id, sequence)",
                // Secrets of dedup domains: CFKB under a KMS key, or CFSE under the service key.
                """
                CREATE TABLE key_dedup (
                    domain BLOB NOT NULL, epoch BIGINT NOT NULL, scope TEXT NOT NULL, key_arn TEXT, state TEXT NOT NULL,
                    wrapped BLOB NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (domain, epoch))
                """,
                "CREATE UNIQUE INDEX key_dedup_scope ON key_dedup (scope, epoch)",
            ]),
        Migration(
            "key-002",
            [
                // The last successful use of each key, at most a minute behind.
                """
                CREATE TABLE key_usage (
                    key_arn TEXT PRIMARY KEY, operation TEXT NOT NULL, at BIGINT NOT NULL, request_id TEXT NOT NULL)
                """
            ]),
        Migration(
            "key-003-retirement",
            [
                // Since when nothing has needed an epoch any more; it is destroyed after a second look a day later.
                "ALTER TABLE key_dedup ADD COLUMN unused_since BIGINT"
            ]),
    ]
}
