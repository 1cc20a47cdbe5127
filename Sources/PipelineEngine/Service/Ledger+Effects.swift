import Catalog
import Foundation
import PipelineModel

/// Effects as rows.
extension Ledger {
    func perform(_ effect: MachineEffect) throws {
        switch effect {
        case .execution(let id, let step, let summary):
            try executionStep(id, step, summary)
        case .stage(let id, let stage, let step):
            try stageStep(id, stage, step)
        case .startAction(let id, let stage, let action, let serial):
            try startAction(id, stage, action, serial)
        case .abandonAction(_, _, _, let serial):
            try abandonAction(serial)
        case .check(let id, let stage, let hook, let serial):
            try beginCheck(id, stage, hook, serial)
        case .endCheck(let id, let stage, let hook, let status):
            try endCheck(id, stage, hook, status)
        case .rollBack(let stage, let failed):
            try rollBack(stage, failed)
        case .transition(let stage, let type, let enabled):
            try record(.transition, enabled ? "ENABLED" : "DISABLED", stage: stage, message: type.rawValue)
        }
    }

    private func executionStep(_ id: String, _ step: MachineStep, _ summary: String?) throws {
        var execution = try execution(id)
        execution.updated = max(execution.updated, time)
        switch step {
        case .started: execution.status = .inProgress
        case .resumed:
            execution.status = .inProgress
            execution.attempt += 1
            execution.summary = nil
            execution.stopReason = nil
        case .stopping:
            execution.status = .stopping
            execution.stopReason = summary
        case .stopped:
            execution.status = .stopped
            execution.stopReason = summary ?? execution.stopReason
        case .succeeded: execution.status = .succeeded
        case .failed: execution.status = .failed
        case .superseded: execution.status = .superseded
        case .cancelled, .skipped: execution.status = .cancelled
        }
        if let summary { execution.summary = summary }
        try execution.update(transaction)
        try record(.execution, step.rawValue, execution: execution, message: summary)
    }

    private func stageStep(_ id: String, _ stage: String, _ step: MachineStep) throws {
        let execution = try execution(id)
        let status: StageStatus =
            switch step {
            case .started, .resumed: .inProgress
            case .stopping: .stopping
            case .stopped: .stopped
            case .succeeded: .succeeded
            case .failed: .failed
            case .skipped: .skipped
            case .cancelled, .superseded: .cancelled
            }
        try transaction.execute(
            """
            INSERT INTO pipeline_passages (execution, stage, pipeline, number, version, status, updated, conditions_json)
            VALUES (?, ?, ?, ?, ?, ?, ?, '[]')
            ON CONFLICT (execution, stage) DO UPDATE SET status = excluded.status, updated = excluded.updated
            """, id, stage, row.id, execution.number, execution.version, status.rawValue, time)
        try record(.stage, step.rawValue, execution: execution, stage: stage)
    }

    private func abandonAction(_ serial: Int64) throws {
        guard
            var action = try transaction.row(
                "SELECT \(ActionRow.columns) FROM pipeline_actions WHERE pipeline = ? AND serial = ?", row.id, serial
            ).map(ActionRow.init)
        else { return }
        action.status = .abandoned
        action.updated = max(action.updated, time)
        action.expires = nil
        try action.update(transaction)
        try endJobs(of: action.id, state: "Abandoned")
        try record(
            .action, "ABANDONED", execution: try execution(action.execution), stage: action.stage,
            action: action.action, actionExecution: action.id)
    }

    /// Ends what jobs of an action are still open.
    func endJobs(of actionExecution: String, state: String) throws {
        let jobs = try transaction.rows(
            """
            UPDATE pipeline_jobs SET state = ?, owner = NULL, lease = NULL
            WHERE action_execution = ? AND state IN ('Queued', 'Dispatched', 'InProgress') RETURNING id
            """, state, actionExecution)
        aftermath.cancellations += try jobs.map { try $0.string("id") }
    }

    // MARK: Rollback

    /// Finds the newest execution that succeeded in a stage under the current version, and runs the stage with it again.
    private func rollBack(_ stage: String, _ failed: String) throws {
        let found = try transaction.row(
            """
            SELECT execution FROM pipeline_passages
            WHERE pipeline = ? AND stage = ? AND status = 'Succeeded' AND version = ? AND execution IN (
                SELECT id FROM pipeline_executions WHERE pipeline = ? AND kind = 'STANDARD')
            ORDER BY number DESC LIMIT 1
            """, row.id, stage, row.version, row.id)
        guard let target = try found?.string("execution"), target != failed else {
            return follow(.noRollback(stage: stage))
        }
        let detail = try JSONText.encode(["FailedPipelineExecutionId": failed])
        let execution = try insertRollback(
            to: try execution(target), trigger: ExecutionTrigger(type: "AutomatedRollback", detail: detail))
        follow(.startRollback(id: execution.id, number: execution.number, stage: stage, isAutomatic: true))
    }

    func insertRollback(to target: ExecutionRow, trigger: ExecutionTrigger) throws -> ExecutionRow {
        let execution = ExecutionRow(
            id: context.environment.makeID(), pipeline: row.id, number: try takeNumber(), version: row.version,
            mode: row.mode, kind: .rollback, trigger: trigger, started: time, variables: target.variables,
            overrides: [], revisions: target.revisions, rollbackTarget: target.id)
        try execution.insert(transaction)
        return execution
    }
}
