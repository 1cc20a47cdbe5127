public import Catalog

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
}
