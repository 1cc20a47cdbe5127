public import Catalog

/// The providers' tables.
public enum ProviderSchema {
    /// To be given to the catalog when it opens.
    ///
    /// `sealed` columns hold bytes encrypted under the server's keyring; no log line, build environment or repository
    /// address is in the catalog in clear.
    public static let migrations: [Migration] = [
        Migration(
            "provider-001",
            [
                """
                CREATE TABLE provider_repositories (
                    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
                    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, PRIMARY KEY (account, region, name))
                """,
                """
                CREATE TABLE provider_projects (
                    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
                    builds BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
                    PRIMARY KEY (account, region, name))
                """,
                """
                CREATE TABLE log_streams (
                    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, log_group TEXT NOT NULL,
                    name TEXT NOT NULL, line_count BIGINT NOT NULL, created_at BIGINT NOT NULL, closed_at BIGINT)
                """,
                "CREATE INDEX log_streams_by_group ON log_streams (account, region, log_group, created_at)",
                """
                CREATE TABLE log_batches (
                    stream TEXT NOT NULL, first_line BIGINT NOT NULL, line_count BIGINT NOT NULL, sealed BLOB NOT NULL,
                    PRIMARY KEY (stream, first_line))
                """,
            ])
    ]
}
