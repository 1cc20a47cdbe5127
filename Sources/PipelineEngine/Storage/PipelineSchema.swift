public import Catalog

/// The tables of the pipeline engine. Times are milliseconds since 1970; columns named `…_json` hold JSON.
public enum PipelineSchema {
    /// The steps that make them.
    public static let migrations: [Migration] = [
        Migration(
            "pipeline-001",
            [
                """
                CREATE TABLE pipeline_pipelines (
                    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
                    version BIGINT NOT NULL, type TEXT NOT NULL, mode TEXT NOT NULL,
                    created BIGINT NOT NULL, updated BIGINT NOT NULL, polling_disabled BIGINT,
                    revision BIGINT NOT NULL, sequence BIGINT NOT NULL, state_json TEXT NOT NULL,
                    UNIQUE (account, region, name))
                """,
                // Execution numbers survive deletion, so that PIPELINE@NUMBER never means two executions.
                """
                CREATE TABLE pipeline_numbers (
                    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, latest BIGINT NOT NULL,
                    PRIMARY KEY (account, region, name))
                """,
                """
                CREATE TABLE pipeline_versions (
                    pipeline TEXT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL,
                    declaration_json TEXT NOT NULL, PRIMARY KEY (pipeline, version))
                """,
                """
                CREATE TABLE pipeline_tags (
                    resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (resource, key))
                """,
                """
                CREATE TABLE pipeline_executions (
                    id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, number BIGINT NOT NULL,
                    version BIGINT NOT NULL, status TEXT NOT NULL, summary TEXT, mode TEXT NOT NULL,
                    kind TEXT NOT NULL, trigger_type TEXT NOT NULL, trigger_detail TEXT NOT NULL,
                    started BIGINT NOT NULL, updated BIGINT NOT NULL, attempt BIGINT NOT NULL, stop_reason TEXT,
                    variables_json TEXT NOT NULL, overrides_json TEXT NOT NULL, revisions_json TEXT NOT NULL,
                    rollback_target TEXT, UNIQUE (pipeline, number))
                """,
                """
                CREATE TABLE pipeline_passages (
                    execution TEXT NOT NULL, stage TEXT NOT NULL, pipeline TEXT NOT NULL, number BIGINT NOT NULL,
                    version BIGINT NOT NULL, status TEXT NOT NULL, updated BIGINT NOT NULL,
                    conditions_json TEXT NOT NULL, PRIMARY KEY (execution, stage))
                """,
                "CREATE INDEX pipeline_passages_by_stage ON pipeline_passages (pipeline, stage, status, number)",
                """
                CREATE TABLE pipeline_actions (
                    id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, execution TEXT NOT NULL,
                    stage TEXT NOT NULL, action TEXT NOT NULL, serial BIGINT NOT NULL, attempt BIGINT NOT NULL,
                    status TEXT NOT NULL, started BIGINT NOT NULL, updated BIGINT NOT NULL,
                    expires BIGINT, approval TEXT, record_json TEXT NOT NULL, UNIQUE (pipeline, serial))
                """,
                "CREATE INDEX pipeline_actions_by_execution ON pipeline_actions (execution, serial)",
                "CREATE INDEX pipeline_actions_by_place ON pipeline_actions (pipeline, stage, action, serial)",
                "CREATE INDEX pipeline_actions_by_status ON pipeline_actions (status, expires)",
                """
                CREATE TABLE pipeline_outputs (
                    action_execution TEXT NOT NULL, name TEXT NOT NULL, position BIGINT NOT NULL,
                    pipeline TEXT NOT NULL, bucket TEXT NOT NULL, object_key TEXT NOT NULL, version TEXT,
                    PRIMARY KEY (action_execution, name))
                """,
                "CREATE INDEX pipeline_outputs_by_key ON pipeline_outputs (bucket, object_key)",
                """
                CREATE TABLE pipeline_jobs (
                    id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, action_execution TEXT NOT NULL,
                    type TEXT NOT NULL, state TEXT NOT NULL, token BIGINT NOT NULL, owner TEXT, lease BIGINT,
                    nonce TEXT, query TEXT, continuation TEXT, created BIGINT NOT NULL)
                """,
                "CREATE INDEX pipeline_jobs_by_state ON pipeline_jobs (state, type, created)",
                "CREATE INDEX pipeline_jobs_by_action ON pipeline_jobs (action_execution)",
                """
                CREATE TABLE pipeline_changes (
                    pipeline TEXT NOT NULL, sequence BIGINT NOT NULL, change_json TEXT NOT NULL,
                    PRIMARY KEY (pipeline, sequence))
                """,
                """
                CREATE TABLE pipeline_start_tokens (
                    pipeline TEXT NOT NULL, token TEXT NOT NULL, execution TEXT NOT NULL,
                    fingerprint TEXT NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (pipeline, token))
                """,
                """
                CREATE TABLE pipeline_sources (
                    pipeline TEXT NOT NULL, action TEXT NOT NULL, revision TEXT NOT NULL, checked BIGINT NOT NULL,
                    PRIMARY KEY (pipeline, action))
                """,
                """
                CREATE TABLE pipeline_action_types (
                    account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, deleted BIGINT,
                    definition_json TEXT NOT NULL, PRIMARY KEY (account, region, id))
                """,
            ]),
        Migration(
            "pipeline-002",
            [
                """
                CREATE TABLE pipeline_rules (
                    id TEXT NOT NULL PRIMARY KEY, pipeline TEXT NOT NULL, execution TEXT NOT NULL,
                    stage TEXT NOT NULL, hook TEXT NOT NULL, name TEXT NOT NULL, position BIGINT NOT NULL,
                    attempt BIGINT NOT NULL, started BIGINT NOT NULL, updated BIGINT NOT NULL, status TEXT NOT NULL,
                    record_json TEXT NOT NULL)
                """,
                "CREATE INDEX pipeline_rules_by_position ON pipeline_rules (pipeline, position)",
                "CREATE INDEX pipeline_rules_by_execution ON pipeline_rules (execution, position)",
                "CREATE INDEX pipeline_rules_by_status ON pipeline_rules (status)",
                "CREATE INDEX pipeline_executions_by_start ON pipeline_executions (started)",
            ]),
        Migration(
            "pipeline-003",
            [
                // What an alias meant when an execution first needed it.
                """
                CREATE TABLE pipeline_execution_keys (
                    execution TEXT NOT NULL, pipeline TEXT NOT NULL, name TEXT NOT NULL, key_arn TEXT NOT NULL,
                    PRIMARY KEY (execution, name))
                """
            ]),
    ]
}
