import Catalog
import Foundation
public import KeyHierarchy
import PipelineModel

/// Where executions are.
extension PipelineService {
    /// The state of a pipeline. In PARALLEL mode it holds stages and transitions only.
    ///
    /// - Throws: PipelineNotFoundException.
    public func pipelineState(_ pipeline: String, in scope: AccountRegion) async throws -> PipelineStateView {
        try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            let machine = try row.machine(transaction)
            let declaration = try row.declaration(transaction)
            let catalogue = try CustomActionTypes.catalogue(transaction, scope)
            let stages = try declaration.stages.map { stage in
                try StageStateBuilder(
                    row: row, machine: machine, stage: stage, catalogue: catalogue, transaction: transaction
                ).view()
            }
            return PipelineStateView(
                pipelineName: row.name, pipelineVersion: row.version, stages: stages, created: row.created,
                updated: row.updated, sequence: row.sequence)
        }
    }
}

/// Puts together the view of one stage.
private struct StageStateBuilder {
    let row: PipelineRow
    let machine: PipelineMachine
    let stage: StageDeclaration
    let catalogue: ActionTypeCatalogue
    let transaction: Transaction

    func view() throws -> StageStateView {
        let lane = machine.lanes[stage.name]
        let isShared = row.mode != .parallel
        let latest = isShared ? lane?.latest : nil
        return StageStateView(
            name: stage.name, inbound: isShared ? waiting(lane) : [],
            inboundTransition: transition(lane?.inbound, lane?.inboundEnabled),
            outboundTransition: transition(lane?.outbound, lane?.outboundEnabled),
            actions: try stage.actions.map { try action($0, isShared) },
            latest: latest.map {
                StageExecutionView(executionID: $0.id, executionNumber: $0.number, status: $0.status, kind: $0.kind)
            }, conditions: try latest.map { try conditions($0.id) } ?? [], retry: latest.flatMap(retry))
    }

    private func waiting(_ lane: PipelineMachine.Lane?) -> [StageExecutionView] {
        (lane?.waiting ?? []).compactMap { machine.runs[$0] }.map {
            StageExecutionView(executionID: $0.id, executionNumber: $0.number, status: .inProgress, kind: $0.kind)
        }
    }

    private func transition(
        _ hold: PipelineMachine.Hold?, _ enabling: PipelineMachine.Enabling?
    ) -> TransitionView {
        TransitionView(
            enabled: hold == nil, lastChangedBy: hold?.by ?? enabling?.by, lastChangedAt: hold?.since ?? enabling?.at,
            disabledReason: hold?.reason)
    }

    private func conditions(_ execution: String) throws -> [ConditionStateView] {
        let row = try transaction.row(
            "SELECT conditions_json FROM pipeline_passages WHERE execution = ? AND stage = ?", execution, stage.name)
        return try row.map { try JSONText.decode(try $0.string("conditions_json")) } ?? []
    }

    private func retry(_ latest: PipelineMachine.Latest) -> RetryStageView? {
        guard latest.automaticRetries + latest.manualRetries > 0 else { return nil }
        return RetryStageView(
            automatic: latest.automaticRetries, manual: latest.manualRetries,
            latestTrigger: latest.retriedAutomaticallyLast ? "AutomatedStageRetry" : "ManualStageRetry")
    }

    private func action(_ declared: ActionDeclaration, _ isShared: Bool) throws -> ActionStateView {
        let settings = catalogue[declared.actionTypeId]?.settings
        func filled(_ template: String?) -> String? {
            template.map { ActionLinks.fill($0, configuration: declared.configuration ?? [:]) }
        }
        guard isShared,
            let found = try transaction.row(
                """
                SELECT \(ActionRow.columns) FROM pipeline_actions
                WHERE pipeline = ? AND stage = ? AND action = ? ORDER BY serial DESC LIMIT 1
                """, row.id, stage.name, declared.name
            ).map(ActionRow.init)
        else {
            return ActionStateView(
                name: declared.name, revision: nil, latest: nil, entityURL: filled(settings?.entityUrlTemplate),
                revisionURL: nil)
        }
        return ActionStateView(
            name: declared.name, revision: found.record.revision, latest: try found.view(transaction),
            entityURL: filled(settings?.entityUrlTemplate),
            revisionURL: found.record.revision?.url ?? filled(settings?.revisionUrlTemplate))
    }
}

/// Link templates of action types.
enum ActionLinks {
    /// Replaces `{Config:name}` and `{ExternalExecutionId}`.
    static func fill(_ template: String, configuration: [String: String], externalID: String? = nil) -> String {
        var result = template
        for (key, value) in configuration { result = result.replacing("{Config:\(key)}", with: value) }
        if let externalID { result = result.replacing("{ExternalExecutionId}", with: externalID) }
        return result
    }
}
