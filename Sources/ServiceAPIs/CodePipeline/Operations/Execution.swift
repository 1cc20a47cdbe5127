import AWSProtocol
import Foundation
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// Starting, stopping, retrying, rolling back; transitions, conditions, approvals and reported revisions.
    func addExecution(to table: inout JSONOperationTable) {
        addStarts(to: &table)
        addRepeats(to: &table)
        addTransitions(to: &table)
        addDecisions(to: &table)
    }

    private func addStarts(to table: inout JSONOperationTable) {
        table.on("StartPipelineExecution") {
            (input: Shapes.StartPipelineExecutionInput, request: ServiceRequest)
                -> Shapes.StartPipelineExecutionOutput in
            let caller = try authorize(request, "StartPipelineExecution", on: input.name)
            var variables: [String: String] = [:]
            for variable in input.variables ?? [] {
                guard variables.updateValue(variable.value, forKey: variable.name) == nil else {
                    throw PipelineError(.validation, "The variable '\(variable.name)' is given twice.")
                }
            }
            let start = StartRequest(
                caller: caller.arn, variables: variables,
                overrides: (input.sourceRevisions ?? []).map { revision in
                    SourceRevisionOverride(
                        actionName: revision.actionName, revisionType: revision.revisionType,
                        revisionValue: revision.revisionValue)
                }, clientRequestToken: input.clientRequestToken)
            return .init(
                pipelineExecutionId: try await service.startExecution(of: input.name, start, in: caller.scope))
        }
        table.on("StopPipelineExecution") {
            (input: Shapes.StopPipelineExecutionInput, request: ServiceRequest)
                -> Shapes.StopPipelineExecutionOutput in
            let caller = try authorize(request, "StopPipelineExecution", on: input.pipelineName)
            try await service.stopExecution(
                input.pipelineExecutionId, of: input.pipelineName, abandon: input.abandon ?? false,
                reason: input.reason, in: caller.scope)
            return .init(pipelineExecutionId: input.pipelineExecutionId)
        }
    }

    private func addRepeats(to table: inout JSONOperationTable) {
        table.on("RetryStageExecution") {
            (input: Shapes.RetryStageExecutionInput, request: ServiceRequest) -> Shapes.RetryStageExecutionOutput in
            let caller = try authorize(
                request, "RetryStageExecution", on: "\(input.pipelineName)/\(input.stageName)")
            try await service.retryStage(
                input.stageName, execution: input.pipelineExecutionId, of: input.pipelineName,
                mode: RetryMode(rawValue: input.retryMode), in: caller.scope)
            return .init(pipelineExecutionId: input.pipelineExecutionId)
        }
        table.on("RollbackStage") {
            (input: Shapes.RollbackStageInput, request: ServiceRequest) -> Shapes.RollbackStageOutput in
            let caller = try authorize(request, "RollbackStage", on: "\(input.pipelineName)/\(input.stageName)")
            return .init(
                pipelineExecutionId: try await service.rollbackStage(
                    input.stageName, to: input.targetPipelineExecutionId, of: input.pipelineName, in: caller.scope,
                    caller: caller.arn))
        }
    }

    private func addTransitions(to table: inout JSONOperationTable) {
        table.on("EnableStageTransition") { (input: Shapes.EnableStageTransitionInput, request: ServiceRequest) in
            let caller = try authorize(
                request, "EnableStageTransition", on: "\(input.pipelineName)/\(input.stageName)")
            try await service.enableTransition(
                try Self.known(input.transitionType, "transitionType"), of: input.stageName, in: input.pipelineName,
                scope: caller.scope, caller: caller.arn)
        }
        table.on("DisableStageTransition") { (input: Shapes.DisableStageTransitionInput, request: ServiceRequest) in
            let caller = try authorize(
                request, "DisableStageTransition", on: "\(input.pipelineName)/\(input.stageName)")
            try await service.disableTransition(
                try Self.known(input.transitionType, "transitionType"), of: input.stageName, in: input.pipelineName,
                reason: input.reason, scope: caller.scope, caller: caller.arn)
        }
        table.on("OverrideStageCondition") { (input: Shapes.OverrideStageConditionInput, request: ServiceRequest) in
            let caller = try authorize(
                request, "OverrideStageCondition", on: "\(input.pipelineName)/\(input.stageName)")
            try await service.overrideStageCondition(
                try Self.known(input.conditionType, "conditionType"), of: input.stageName,
                execution: input.pipelineExecutionId, of: input.pipelineName, in: caller.scope)
        }
    }

    private func addDecisions(to table: inout JSONOperationTable) {
        table.on("PutApprovalResult") {
            (input: Shapes.PutApprovalResultInput, request: ServiceRequest) -> Shapes.PutApprovalResultOutput in
            let caller = try authorize(
                request, "PutApprovalResult", on: "\(input.pipelineName)/\(input.stageName)/\(input.actionName)")
            return .init(
                approvedAt: try await service.putApprovalResult(
                    approved: input.result.status == "Approved", summary: input.result.summary, token: input.token,
                    action: input.actionName, stage: input.stageName, of: input.pipelineName, in: caller.scope,
                    caller: caller.arn))
        }
        table.on("PutActionRevision") {
            (input: Shapes.PutActionRevisionInput, request: ServiceRequest) -> Shapes.PutActionRevisionOutput in
            let caller = try authorize(
                request, "PutActionRevision", on: "\(input.pipelineName)/\(input.stageName)/\(input.actionName)")
            guard let id = input.actionRevision.revisionId else {
                throw PipelineError(.validation, "The member actionRevision.revisionId must not be null.")
            }
            let reported = try await service.putActionRevision(
                SourceRevision(
                    id: id, changeID: input.actionRevision.revisionChangeId, created: input.actionRevision.created),
                action: input.actionName, stage: input.stageName, of: input.pipelineName, in: caller.scope,
                caller: caller.arn)
            return .init(newRevision: reported.isNew, pipelineExecutionId: reported.executionID)
        }
    }

    /// The value of a closed set, which the request's check has let pass already.
    private static func known<Value: RawRepresentable<String>>(_ text: String, _ member: String) throws -> Value {
        guard let value = Value(rawValue: text) else {
            throw PipelineError(.validation, "The member \(member) has a value that is not known here: '\(text)'.")
        }
        return value
    }
}
