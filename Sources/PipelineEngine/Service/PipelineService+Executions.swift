import Catalog
import Foundation
public import KeyHierarchy
public import PipelineModel

/// Starting, stopping, retrying, rolling back; transitions and conditions.
extension PipelineService {
    /// Starts an execution of the current version.
    ///
    /// - Returns: its id.
    /// - Throws: PipelineNotFoundException, ValidationException, ConflictException,
    ///   ConcurrentPipelineExecutionsLimitExceededException.
    public func startExecution(
        of pipeline: String, _ request: StartRequest, in scope: AccountRegion
    ) async throws -> String {
        var check = ShapeChecker()
        check.text(request.clientRequestToken, "clientRequestToken", 1...128, .requestToken)
        check.count(request.overrides.count, "sourceRevisions", 0...50)
        for (name, value) in request.variables.sorted(by: { $0.key < $1.key }) {
            check.text(value, "variables.\(name).value", 1...1000)
        }
        try check.finish()
        let id = try await transact(pipeline, scope) { try $0.start(request) }
        guard let id else { throw PipelineError(.executionsLimit, "The pipeline has too many live executions") }
        return id
    }

    /// Stops an execution: after what runs has ended, or at once.
    ///
    /// - Throws: PipelineNotFoundException, PipelineExecutionNotStoppableException, DuplicatedStopRequestException.
    public func stopExecution(
        _ execution: String, of pipeline: String, abandon: Bool, reason: String?, in scope: AccountRegion
    ) async throws {
        var check = ShapeChecker()
        check.text(reason, "reason", 0...200)
        try check.finish()
        try await transact(pipeline, scope) { ledger in
            guard try ExecutionRow.find(ledger.transaction, id: execution, pipeline: ledger.row.id) != nil else {
                throw PipelineError(
                    .executionNotStoppable, "The pipeline '\(pipeline)' has no execution '\(execution)'")
            }
            try ledger.apply(.stop(execution: execution, abandon: abandon, reason: reason))
        }
    }

    /// Runs what failed in a stage again, or all of it, in the same execution.
    ///
    /// - Throws: PipelineNotFoundException, StageNotFoundException, StageNotRetryableException,
    ///   NotLatestPipelineExecutionException, ConflictException,
    ///   ConcurrentPipelineExecutionsLimitExceededException.
    public func retryStage(
        _ stage: String, execution: String, of pipeline: String, mode: RetryMode, in scope: AccountRegion
    ) async throws {
        var check = ShapeChecker()
        check.enumeration(mode, "retryMode")
        try check.finish()
        try await transact(pipeline, scope) { try $0.apply(.retry(execution: execution, stage: stage, mode: mode)) }
    }

    /// Runs a stage again with what an earlier execution brought into it, as a new execution.
    ///
    /// - Returns: the id of the new execution.
    /// - Throws: PipelineNotFoundException, StageNotFoundException, PipelineExecutionNotFoundException,
    ///   PipelineExecutionOutdatedException, UnableToRollbackStageException.
    public func rollbackStage(
        _ stage: String, to target: String, of pipeline: String, in scope: AccountRegion, caller: String
    ) async throws -> String {
        try await transact(pipeline, scope) { ledger in
            guard try ledger.declaration().stage(stage) != nil else {
                throw PipelineError(.stageNotFound, "The pipeline '\(pipeline)' has no stage '\(stage)'")
            }
            let execution = try ledger.execution(target)
            guard execution.version == ledger.row.version else {
                throw PipelineError(
                    .executionOutdated,
                    "The execution '\(target)' ran under version \(execution.version) of the pipeline, which is now at "
                        + "version \(ledger.row.version)")
            }
            guard execution.kind == .standard else {
                throw PipelineError(.unableToRollback, "The execution '\(target)' is a rollback itself")
            }
            let passed = try ledger.transaction.row(
                "SELECT status FROM pipeline_passages WHERE execution = ? AND stage = ?", target, stage)
            guard try passed?.string("status") == StageStatus.succeeded.rawValue else {
                throw PipelineError(
                    .unableToRollback, "The execution '\(target)' did not succeed in the stage '\(stage)'")
            }
            let rollback = try ledger.insertRollback(
                to: execution, trigger: ExecutionTrigger(type: "ManualRollback", detail: caller))
            try ledger.apply(
                .startRollback(id: rollback.id, number: rollback.number, stage: stage, isAutomatic: false))
            return rollback.id
        }
    }

    /// Lets an execution pass a condition that is not met.
    ///
    /// - Throws: PipelineNotFoundException, StageNotFoundException, ConditionNotOverridableException,
    ///   NotLatestPipelineExecutionException.
    public func overrideStageCondition(
        _ hook: ConditionHook, of stage: String, execution: String, of pipeline: String, in scope: AccountRegion
    ) async throws {
        try await transact(pipeline, scope) { ledger in
            guard try ledger.declaration().stage(stage) != nil else {
                throw PipelineError(.stageNotFound, "The pipeline '\(pipeline)' has no stage '\(stage)'")
            }
            try ledger.apply(.override(execution: execution, stage: stage, hook: hook))
        }
    }

    /// Opens a transition.
    ///
    /// - Throws: PipelineNotFoundException, StageNotFoundException.
    public func enableTransition(
        _ type: TransitionType, of stage: String, in pipeline: String, scope: AccountRegion, caller: String
    ) async throws {
        try await transact(pipeline, scope) { ledger in
            try ledger.apply(.setTransition(stage: stage, type: type, enabled: true, reason: "", by: caller))
        }
    }

    /// Closes a transition.
    ///
    /// - Throws: PipelineNotFoundException, StageNotFoundException, ValidationException.
    public func disableTransition(
        _ type: TransitionType, of stage: String, in pipeline: String, reason: String, scope: AccountRegion,
        caller: String
    ) async throws {
        var check = ShapeChecker()
        check.text(reason, "reason", 1...300, .disableReason)
        try check.finish()
        try await transact(pipeline, scope) { ledger in
            try ledger.apply(.setTransition(stage: stage, type: type, enabled: false, reason: reason, by: caller))
        }
    }

    /// Starts an execution for a revision that a custom source reports, unless it was reported before.
    ///
    /// - Returns: whether an execution was started, and its id or that of the newest one.
    /// - Throws: PipelineNotFoundException, StageNotFoundException, ActionNotFoundException,
    ///   ConcurrentPipelineExecutionsLimitExceededException.
    public func putActionRevision(
        _ revision: SourceRevision, action: String, stage: String, of pipeline: String, in scope: AccountRegion,
        caller: String
    ) async throws -> (isNew: Bool, executionID: String) {
        try await transact(pipeline, scope) { ledger in
            guard let declared = try ledger.declaration().stage(stage) else {
                throw PipelineError(.stageNotFound, "The pipeline '\(pipeline)' has no stage '\(stage)'")
            }
            guard declared.actions.contains(where: { $0.name == action }) else {
                throw PipelineError(.actionNotFound, "The stage '\(stage)' has no action '\(action)'")
            }
            let known = try ledger.transaction.row(
                "SELECT revision FROM pipeline_sources WHERE pipeline = ? AND action = ?", ledger.row.id, action)
            if try known?.string("revision") == revision.id,
                let newest = try ledger.transaction.row(
                    "SELECT id FROM pipeline_executions WHERE pipeline = ? ORDER BY number DESC LIMIT 1",
                    ledger.row.id)
            {
                return (false, try newest.string("id"))
            }
            try ledger.noteSource(action, revision.id)
            var request = StartRequest(caller: caller)
            request.trigger = ExecutionTrigger(type: "PutActionRevision", detail: caller)
            guard let id = try ledger.start(request) else {
                throw PipelineError(.executionsLimit, "The pipeline has too many live executions")
            }
            return (true, id)
        }
    }
}
