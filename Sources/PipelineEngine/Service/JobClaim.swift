import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import PipelineModel

/// How the run of a job in this process ended.
enum JobResult: Sendable {
    case succeeded(ActionOutcome)
    case failed(ActionFailure)
    /// The task was cancelled or the driver killed: the job is to be taken up again.
    case interrupted
    /// The job is no longer ours.
    case lost
}

/// Jobs and who holds them. A job is held under a fencing token that grows each time it changes hands; everything a
/// holder writes is written only while the token is still the current one, checked in the transaction that writes.
enum JobLease {
    /// Takes a job that is queued, or whose holder let its lease run out.
    ///
    /// - Returns: nil when somebody else holds it, or nobody waits for it.
    static func claim(_ id: String, owner: String, _ transaction: Transaction, _ context: LedgerContext) throws
        -> ActionJob?
    {
        let now = context.environment.now()
        let claimed = try transaction.row(
            """
            UPDATE pipeline_jobs SET state = 'InProgress', token = token + 1, owner = ?, lease = ?
            WHERE id = ? AND (state = 'Queued' OR (state = 'InProgress' AND lease < ?))
            RETURNING token, action_execution
            """, owner, now.addingTimeInterval(context.configuration.leaseSeconds), id, now)
        guard let claimed else { return nil }
        guard let action = try ActionRow.find(transaction, id: try claimed.string("action_execution")),
            action.status == .inProgress, let pipeline = try PipelineRow.find(transaction, id: action.pipeline)
        else {
            try transaction.execute("UPDATE pipeline_jobs SET state = 'Abandoned', owner = NULL WHERE id = ?", id)
            return nil
        }
        return try job(id, try claimed.int64("token"), action, pipeline, transaction)
    }

    static func job(
        _ id: String, _ token: Int64, _ action: ActionRow, _ pipeline: PipelineRow, _ transaction: Transaction
    ) throws -> ActionJob {
        let record = action.record
        return ActionJob(
            id: id, fencingToken: token, scope: pipeline.scope, pipelineName: pipeline.name,
            pipelineVersion: record.version, executionID: action.execution, executionNumber: record.executionNumber,
            attempt: action.attempt, stage: action.stage, action: action.action, actionExecutionID: action.id,
            type: record.type, configuration: record.resolvedConfiguration, commands: record.commands,
            outputVariables: record.outputVariableNames, environment: record.environment, inputs: record.inputs,
            outputs: try OutputRow.of(actionExecution: action.id, transaction).map {
                JobOutput(
                    name: $0.name, files: record.outputFiles[$0.name] ?? [], bucket: $0.bucket, objectKey: $0.objectKey)
            }, keyID: record.keyID, roleARN: record.roleARN, region: record.region,
            revisionOverrides: record.revisionOverrides,
            revisions: try ExecutionRow.find(transaction, id: action.execution, pipeline: action.pipeline)?.revisions
                ?? [],
            startedBy: record.startedBy, startedAt: action.started)
    }

    /// Checks that a job is still held under a token.
    ///
    /// - Throws: `LostLease`.
    static func check(_ id: String, token: Int64, _ transaction: Transaction) throws {
        let row = try transaction.row("SELECT state, token FROM pipeline_jobs WHERE id = ?", id)
        guard let row, try row.string("state") == "InProgress", try row.int64("token") == token else {
            throw LostLease(jobID: id)
        }
    }

    /// Keeps a job for longer.
    ///
    /// - Throws: `LostLease`.
    static func renew(_ id: String, token: Int64, until: Date, _ transaction: Transaction) throws {
        let changed = try transaction.execute(
            "UPDATE pipeline_jobs SET lease = ? WHERE id = ? AND token = ? AND state = 'InProgress'", until, id, token)
        guard changed > 0 else { throw LostLease(jobID: id) }
    }

    /// Gives a job back, so that it is taken up again.
    static func release(_ id: String, token: Int64, _ transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE pipeline_jobs SET state = 'Queued', owner = NULL, lease = NULL
            WHERE id = ? AND token = ? AND state = 'InProgress'
            """, id, token)
    }
}
