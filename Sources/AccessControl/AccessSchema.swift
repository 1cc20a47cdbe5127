public import Catalog

/// The tables of access control.
public enum AccessSchema {
    /// Migrations for ``Catalog``.
    public static let migrations: [Migration] = [
        Migration(
            "access-001",
            [
                """
                CREATE TABLE access_accounts (
                    account TEXT NOT NULL PRIMARY KEY,
                    created_ms BIGINT NOT NULL
                )
                """,
                """
                CREATE TABLE access_keys (
                    access_key_id TEXT NOT NULL PRIMARY KEY,
                    account TEXT NOT NULL REFERENCES access_accounts (account),
                    kind TEXT NOT NULL,
                    sealed_secret BLOB NOT NULL,
                    created_ms BIGINT NOT NULL
                )
                """,
                "CREATE INDEX access_keys_account ON access_keys (account)",
            ])
    ]
}
