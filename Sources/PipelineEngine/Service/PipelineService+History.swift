import Catalog
import Foundation
public import KeyHierarchy
import PipelineModel

/// What happened: executions, action executions, changes.
extension PipelineService {
    /// One execution.
    ///
    /// - Throws: PipelineNotFoundException, PipelineExecutionNotFoundException.
    public func getExecution(
        _ execution: String, of pipeline: String, in scope: AccountRegion
    ) async throws -> ExecutionSummary {
        try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            return try Self.find(execution, row, transaction).view(pipelineName: row.name)
        }
    }

    /// The execution with a running number.
    ///
    /// - Throws: PipelineNotFoundException, PipelineExecutionNotFoundException.
    public func getExecution(
        number: Int, of pipeline: String, in scope: AccountRegion
    ) async throws -> ExecutionSummary {
        try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            guard
                let found = try transaction.row(
                    "SELECT \(ExecutionRow.columns) FROM pipeline_executions WHERE pipeline = ? AND number = ?",
                    row.id, number)
            else {
                throw PipelineError(
                    .executionNotFound, "The pipeline '\(pipeline)' has no execution with the number \(number)")
            }
            return try ExecutionRow(found).view(pipelineName: row.name)
        }
    }

    /// Executions, newest first.
    ///
    /// - Parameter succeededIn: only those that succeeded in this stage under the current version.
    /// - Throws: PipelineNotFoundException, InvalidNextTokenException.
    public func listExecutions(
        of pipeline: String, succeededIn stage: String? = nil, in scope: AccountRegion, limit: Int? = nil,
        nextToken: String? = nil
    ) async throws -> Page<ExecutionSummary> {
        let size = min(limit ?? 100, 100)
        let binding = "ListPipelineExecutions|\(scope.account)|\(scope.region)|\(pipeline)|\(stage ?? "")"
        let before = try PagingToken.openNumber(nextToken, binding) ?? Int64.max
        let rows = try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            let found: [Row]
            if let stage {
                found = try transaction.rows(
                    """
                    SELECT \(ExecutionRow.columns) FROM pipeline_executions
                    WHERE pipeline = ? AND number < ? AND version = ? AND kind = 'STANDARD' AND id IN (
                        SELECT execution FROM pipeline_passages
                        WHERE pipeline = ? AND stage = ? AND status = 'Succeeded')
                    ORDER BY number DESC LIMIT ?
                    """, row.id, before, row.version, row.id, stage, size + 1)
            } else {
                found = try transaction.rows(
                    """
                    SELECT \(ExecutionRow.columns) FROM pipeline_executions
                    WHERE pipeline = ? AND number < ? ORDER BY number DESC LIMIT ?
                    """, row.id, before, size + 1)
            }
            return try found.map(ExecutionRow.init)
        }
        return PagingToken.page(rows, size, binding) { String($0.number) }.map { $0.view(pipelineName: pipeline) }
    }

    /// Runs of actions, newest first.
    ///
    /// - Parameters:
    ///   - execution: only those of this execution.
    ///   - latestAttemptOnly: only those since the execution was started or retried last.
    /// - Throws: PipelineNotFoundException, PipelineExecutionNotFoundException, InvalidNextTokenException.
    public func listActionExecutions(
        of pipeline: String, execution: String? = nil, latestAttemptOnly: Bool = false, in scope: AccountRegion,
        limit: Int? = nil, nextToken: String? = nil
    ) async throws -> Page<ActionExecutionDetail> {
        let size = min(limit ?? 100, 100)
        let binding =
            "ListActionExecutions|\(scope.account)|\(scope.region)|\(pipeline)|\(execution ?? "")|\(latestAttemptOnly)"
        let before = try PagingToken.openNumber(nextToken, binding) ?? Int64.max
        return try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            let found: [Row]
            if let execution {
                let attempt = try Self.find(execution, row, transaction).attempt
                found = try transaction.rows(
                    """
                    SELECT \(ActionRow.columns) FROM pipeline_actions
                    WHERE execution = ? AND serial < ? AND attempt >= ? ORDER BY serial DESC LIMIT ?
                    """, execution, before, latestAttemptOnly ? attempt : 0, size + 1)
            } else {
                found = try transaction.rows(
                    """
                    SELECT \(ActionRow.columns) FROM pipeline_actions
                    WHERE pipeline = ? AND serial < ? ORDER BY serial DESC LIMIT ?
                    """, row.id, before, size + 1)
            }
            let page = PagingToken.page(try found.map(ActionRow.init), size, binding) { String($0.serial) }
            return try page.map { try $0.view(transaction) }
        }
    }

    /// One run of an action, whichever pipeline it belongs to.
    ///
    /// - Throws: ActionExecutionNotFoundException.
    public func getActionExecution(_ id: String, in scope: AccountRegion) async throws -> ActionExecutionDetail {
        try await catalog.read { transaction in
            guard let row = try ActionRow.find(transaction, id: id),
                try PipelineRow.find(transaction, id: row.pipeline)?.scope == scope
            else { throw PipelineError(.actionExecutionNotFound, "There is no action execution '\(id)'") }
            return try row.view(transaction)
        }
    }

    /// Changes of a pipeline after a sequence number, oldest first.
    ///
    /// - Throws: PipelineNotFoundException.
    public func changes(
        of pipeline: String, after sequence: Int64, in scope: AccountRegion, limit: Int = 1000
    ) async throws -> [PipelineChange] {
        try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            return try transaction.rows(
                """
                SELECT change_json FROM pipeline_changes WHERE pipeline = ? AND sequence > ? ORDER BY sequence LIMIT ?
                """, row.id, sequence, limit
            ).map { try JSONText.decode(try $0.string("change_json")) }
        }
    }

    /// Changes of a pipeline as they happen, from those after a sequence number on. Ends when the pipeline is deleted,
    /// throws when the caller's task is cancelled.
    ///
    /// - Throws: PipelineNotFoundException.
    public func events(
        of pipeline: String, after sequence: Int64, in scope: AccountRegion
    ) async throws -> AsyncThrowingStream<PipelineChange, any Error> {
        let id = try await catalog.read { try PipelineRow.get($0, name: pipeline, scope: scope).id }
        let signal = hub.watch(id)
        let catalog = catalog
        return AsyncThrowingStream { continuation in
            // Unstructured, as the stream's consumer decides how long it lives; ended by `onTermination`.
            let task = Task {
                var position = sequence
                var signals = signal.makeAsyncIterator()
                do {
                    while true {
                        let (changes, isThere) = try await Self.changes(of: id, after: position, catalog)
                        for change in changes {
                            position = change.sequence
                            continuation.yield(change)
                        }
                        if !isThere { break }
                        if changes.count == Self.changesPerRead { continue }
                        // Registered before the first read, so that nothing falls between.
                        if await signals.next() == nil { break }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static let changesPerRead = 1000

    /// The next changes of a pipeline, and whether it still exists.
    private static func changes(
        of id: String, after position: Int64, _ catalog: Catalog
    ) async throws -> ([PipelineChange], Bool) {
        try await catalog.read { transaction in
            let changes: [PipelineChange] = try transaction.rows(
                """
                SELECT change_json FROM pipeline_changes WHERE pipeline = ? AND sequence > ? ORDER BY sequence LIMIT ?
                """, id, position, changesPerRead
            ).map { try JSONText.decode(try $0.string("change_json")) }
            return (changes, try PipelineRow.find(transaction, id: id) != nil)
        }
    }

    static func find(_ execution: String, _ row: PipelineRow, _ transaction: Transaction) throws -> ExecutionRow {
        guard let found = try ExecutionRow.find(transaction, id: execution, pipeline: row.id) else {
            throw PipelineError(
                .executionNotFound, "The pipeline '\(row.name)' has no execution with the id '\(execution)'")
        }
        return found
    }
}

extension ActionRow {
    func view(_ transaction: Transaction) throws -> ActionExecutionDetail {
        func masked(_ configuration: [String: String]) -> [String: String] {
            var result = configuration
            for key in record.secretKeys where result[key] != nil { result[key] = PipelineDeclaration.secretMask }
            return result
        }
        return ActionExecutionDetail(
            executionID: execution, executionNumber: record.executionNumber, actionExecutionID: id,
            pipelineVersion: record.version, stageName: stage, actionName: action, attempt: attempt,
            startTime: started, lastUpdateTime: updated, updatedBy: record.updatedBy, status: status,
            type: record.type, configuration: masked(record.configuration),
            resolvedConfiguration: masked(record.resolvedConfiguration), roleARN: record.roleARN,
            region: record.region, namespace: record.namespace,
            inputs: record.inputs.map {
                ArtifactLocation(name: $0.name, bucket: $0.bucket, objectKey: $0.objectKey, version: $0.version)
            },
            outputs: try OutputRow.of(actionExecution: id, transaction).map {
                ArtifactLocation(name: $0.name, bucket: $0.bucket, objectKey: $0.objectKey, version: $0.version)
            },
            progress: record.progress, error: record.error, outputVariables: record.variables,
            approvalToken: status == .inProgress ? approval : nil, expires: status == .inProgress ? expires : nil,
            revision: record.revision)
    }
}
