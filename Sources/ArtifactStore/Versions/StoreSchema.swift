public import Catalog

/// The store's tables. Times are milliseconds since 1970; ids of records are keyed.
public enum StoreSchema {
    /// All steps.
    public static let migrations: [Migration] = [
        Migration(
            "store-001",
            [
                "CREATE TABLE store_state (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
                "INSERT INTO store_state (name, value) VALUES ('epoch', 1), ('next_pack', 1)",
                """
                CREATE TABLE store_packs (
                    number BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, class BIGINT NOT NULL, state BIGINT NOT NULL,
                    length BIGINT NOT NULL, records BIGINT NOT NULL, frames BIGINT NOT NULL, last_frame_offset BIGINT NOT NULL,
                    last_frame_bytes BIGINT NOT NULL, plain_bytes BIGINT NOT NULL, storage_key BIGINT NOT NULL,
                    last_ref_epoch BIGINT NOT NULL, condemned_epoch BIGINT, created_at BIGINT NOT NULL, scrubbed_at BIGINT)
                """,
                """
                CREATE TABLE store_journal (
                    id BLOB PRIMARY KEY, kind BIGINT NOT NULL, codec BIGINT NOT NULL, plain_bytes BIGINT NOT NULL,
                    encoded_bytes BIGINT NOT NULL, record BLOB NOT NULL, reach BLOB)
                """,
                """
                CREATE TABLE store_versions (
                    id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL,
                    artifact TEXT NOT NULL, number BIGINT NOT NULL, execution TEXT, execution_number BIGINT, stage TEXT,
                    action TEXT, action_execution TEXT, created_by TEXT NOT NULL, attributes TEXT NOT NULL,
                    key_id TEXT NOT NULL, key_arn TEXT NOT NULL, root_kind TEXT NOT NULL, content_key BLOB NOT NULL,
                    summary BLOB NOT NULL, logical_bytes BIGINT NOT NULL, new_stored_bytes BIGINT NOT NULL,
                    file_count BIGINT NOT NULL, zip_bytes BIGINT NOT NULL, zip_etag TEXT NOT NULL, zip_number BIGINT NOT NULL,
                    zip_shape BLOB NOT NULL, domain_id BLOB NOT NULL, domain_epoch BIGINT NOT NULL, roots BLOB NOT NULL,
                    root BLOB NOT NULL, data_key BLOB NOT NULL, created_at BIGINT NOT NULL, deleted_at BIGINT,
                    UNIQUE (account, region, repository, artifact, number))
                """,
                "CREATE INDEX store_versions_content ON store_versions (content_key)",
                "CREATE INDEX store_versions_execution ON store_versions (execution)",
                "CREATE INDEX store_versions_deleted ON store_versions (deleted_at)",
                """
                CREATE TABLE store_tags (
                    account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, artifact TEXT NOT NULL,
                    tag TEXT NOT NULL, version TEXT NOT NULL REFERENCES store_versions (id), set_at BIGINT NOT NULL,
                    PRIMARY KEY (account, region, repository, artifact, tag))
                """,
                "CREATE INDEX store_tags_version ON store_tags (version)",
                """
                CREATE TABLE store_pins (
                    version TEXT NOT NULL REFERENCES store_versions (id), name TEXT NOT NULL, kind TEXT NOT NULL,
                    owner TEXT NOT NULL, reason TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
                    PRIMARY KEY (version, name))
                """,
                """
                CREATE TABLE store_rules (
                    account TEXT NOT NULL, region TEXT NOT NULL, repository TEXT NOT NULL, artifact TEXT NOT NULL,
                    newest BIGINT, age_seconds BIGINT, stage TEXT, PRIMARY KEY (account, region, repository, artifact))
                """,
                """
                CREATE TABLE store_damage (
                    pack BIGINT NOT NULL, record_offset BIGINT NOT NULL, record BLOB NOT NULL, reason TEXT NOT NULL,
                    found_at BIGINT NOT NULL, PRIMARY KEY (pack, record_offset))
                """,
            ]),
        Migration(
            "store-002",
            [
                """
                CREATE INDEX store_versions_artifact ON store_versions
                    (account, region, repository, artifact, created_at, number, id)
                """,
                "CREATE INDEX store_versions_newest ON store_versions (account, region, created_at, number, id)",
            ]),
        Migration(
            "store-004-chunkers",
            [
                """
                CREATE TABLE store_domains (
                    domain_id BLOB NOT NULL, domain_epoch BIGINT NOT NULL, chunker TEXT NOT NULL, created_at BIGINT NOT NULL,
                    PRIMARY KEY (domain_id, domain_epoch))
                """,
                // What was stored before there was a choice.
                """
                INSERT INTO store_domains (domain_id, domain_epoch, chunker, created_at)
                SELECT domain_id, domain_epoch, 'gear', MIN(created_at) FROM store_versions
                GROUP BY domain_id, domain_epoch
                """,
            ]),
        Migration(
            "store-005-scrub",
            [
                """
                CREATE TABLE store_scrub (
                    level TEXT PRIMARY KEY, pack BIGINT NOT NULL, version_at BIGINT, version TEXT, path BLOB,
                    position BIGINT NOT NULL, saved_at BIGINT NOT NULL)
                """
            ]),
        Migration(
            "store-003-rotation",
            [
                // The key of a pack's index frames, sealed under storage key `storage_key`; NULL: derived from it.
                "ALTER TABLE store_packs ADD COLUMN pack_key BLOB"
            ]),
        Migration(
            "store-004-jobs",
            [
                // Counts how often a version's manifest or data key was sealed anew.
                "ALTER TABLE store_versions ADD COLUMN revision BIGINT NOT NULL DEFAULT 1",
                """
                CREATE TABLE store_jobs (
                    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, account TEXT NOT NULL,
                    region TEXT NOT NULL, key_arn TEXT, target_key_arn TEXT, bytes_per_second BIGINT,
                    has_epochs BIGINT NOT NULL, cursor_time BIGINT NOT NULL, cursor_id TEXT NOT NULL,
                    total BIGINT NOT NULL, done BIGINT NOT NULL, skipped BIGINT NOT NULL, bytes BIGINT NOT NULL,
                    message TEXT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
                    updated_at BIGINT NOT NULL)
                """,
                """
                CREATE TABLE store_job_skips (
                    job TEXT NOT NULL REFERENCES store_jobs (id), version TEXT NOT NULL, reason TEXT NOT NULL,
                    PRIMARY KEY (job, version))
                """,
            ]),
        Migration(
            "store-005-log",
            [
                // Signed statements, each entry's hash covering the one before.
                """
                CREATE TABLE store_log (
                    sequence BIGINT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, statement BLOB NOT NULL,
                    leaf BLOB NOT NULL, key_version BIGINT NOT NULL, signature BLOB NOT NULL)
                """,
                "CREATE INDEX store_log_subject ON store_log (subject, sequence)",
                // Signed heads of the Merkle tree over the entries' hashes.
                """
                CREATE TABLE store_log_heads (
                    size BIGINT PRIMARY KEY, root BLOB NOT NULL, journal_size BIGINT NOT NULL,
                    journal_head BLOB NOT NULL, at BIGINT NOT NULL, key_version BIGINT NOT NULL,
                    signature BLOB NOT NULL)
                """,
                // The latest entry about a pin, and a code over both.
                "ALTER TABLE store_pins ADD COLUMN log_sequence BIGINT",
                "ALTER TABLE store_pins ADD COLUMN mac BLOB",
            ]),
        Migration(
            "store-006-scouring",
            [
                // Packs that the next collection rewrites however little of them is dead: their dead records must go.
                "CREATE TABLE store_scour (pack BIGINT PRIMARY KEY)"
            ]),
        Migration(
            "store-007-commits",
            [
                // Small commits, a row each. INTEGER, not BIGINT: then SQLite keeps no second tree for the key.
                """
                CREATE TABLE store_commits (commit_number INTEGER PRIMARY KEY, records BLOB NOT NULL, contents BLOB NOT NULL)
                """,
                // Most versions have no time of deletion, and those made by hand no execution.
                "DROP INDEX store_versions_deleted",
                "CREATE INDEX store_versions_deleted ON store_versions (deleted_at) WHERE deleted_at IS NOT NULL",
                "DROP INDEX store_versions_execution",
                "CREATE INDEX store_versions_execution ON store_versions (execution) WHERE execution IS NOT NULL",
            ]),
        Migration(
            "store-008-uploads",
            [
                // What unfinished uploads have received.
                """
                CREATE TABLE store_uploads (
                    id TEXT PRIMARY KEY, name TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
                    repository TEXT NOT NULL, artifact TEXT NOT NULL, key_arn TEXT NOT NULL, domain_id BLOB NOT NULL,
                    domain_epoch BIGINT NOT NULL, data_key BLOB NOT NULL, saved_at BIGINT NOT NULL)
                """,
                "CREATE INDEX store_uploads_name ON store_uploads (name, saved_at)",
                """
                CREATE TABLE store_upload_parts (
                    upload TEXT NOT NULL, part BIGINT NOT NULL, contents BLOB NOT NULL, PRIMARY KEY (upload, part))
                """,
                // Requests that published something, so that one which is repeated does not publish it again.
                "CREATE TABLE store_requests (request TEXT PRIMARY KEY, version TEXT NOT NULL, at BIGINT NOT NULL)",
                "CREATE INDEX store_requests_at ON store_requests (at)",
            ]),
        Migration(
            "store-009-log-sequence",
            [
                // INTEGER as in store_commits: every publication writes a page less.
                """
                CREATE TABLE store_log_entries (
                    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, statement BLOB NOT NULL,
                    leaf BLOB NOT NULL, key_version BIGINT NOT NULL, signature BLOB NOT NULL)
                """,
                """
                INSERT INTO store_log_entries (sequence, kind, subject, statement, leaf, key_version, signature)
                SELECT sequence, kind, subject, statement, leaf, key_version, signature FROM store_log ORDER BY sequence
                """,
                "DROP TABLE store_log",
                "ALTER TABLE store_log_entries RENAME TO store_log",
                "CREATE INDEX store_log_subject ON store_log (subject, sequence)",
            ]),
    ]
}
