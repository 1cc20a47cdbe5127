public import Catalog
public import KeyHierarchy

/// Which executions still need the artifact versions they made.
public enum LiveExecutions {
    /// Why the versions of an execution must stay: it runs or waits, or one that rolls back to it does.
    ///
    /// - Returns: one sentence a reason; empty when the execution has ended, or is none of a pipeline.
    public static func uses(of execution: String, _ transaction: Transaction) throws -> [String] {
        try transaction.rows(
            """
            SELECT pipeline_executions.number AS number, pipeline_executions.status AS status,
                pipeline_pipelines.name AS name, pipeline_executions.id AS id
            FROM pipeline_executions JOIN pipeline_pipelines ON pipeline_pipelines.id = pipeline_executions.pipeline
            WHERE (pipeline_executions.id = ? OR pipeline_executions.rollback_target = ?)
                AND pipeline_executions.status IN (?, ?)
            ORDER BY pipeline_executions.number
            """, execution, execution, ExecutionStatus.inProgress.rawValue, ExecutionStatus.stopping.rawValue
        ).map { row in
            let name = "execution \(try row.int64("number")) of \(try row.string("name"))"
            let isOwn = try row.string("id") == execution
            return isOwn ? "\(name) has not ended yet" : "\(name), which has not ended yet, rolls back to it"
        }
    }

    /// The executions that passed a stage of a pipeline, newest first, a hundred at most.
    public static func past(
        _ stage: String, _ pipeline: String, _ scope: AccountRegion, _ transaction: Transaction
    ) throws -> [String] {
        try transaction.rows(
            """
            SELECT pipeline_passages.execution AS execution FROM pipeline_passages
            JOIN pipeline_pipelines ON pipeline_pipelines.id = pipeline_passages.pipeline
            WHERE pipeline_pipelines.account = ? AND pipeline_pipelines.region = ? AND pipeline_pipelines.name = ?
                AND pipeline_passages.stage = ? AND pipeline_passages.status = 'Succeeded'
            ORDER BY pipeline_passages.number DESC LIMIT 100
            """, scope.account, scope.region, pipeline, stage
        ).map { try $0.string("execution") }
    }
}
