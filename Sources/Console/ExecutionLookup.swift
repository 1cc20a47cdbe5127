import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel

extension ExecutionItem {
    /// An execution as the engine shows it.
    init(_ summary: ExecutionSummary) {
        let revision = summary.revisions.first?.revision
        self.init(
            pipeline: summary.pipelineName, id: summary.id, number: summary.number, status: summary.status.rawValue,
            statusSummary: summary.statusSummary, pipelineVersion: summary.pipelineVersion,
            trigger: summary.trigger.type, revision: revision?.id, revisionSummary: revision?.summary,
            started: summary.startTime, updated: summary.lastUpdateTime)
    }
}

/// Finds executions by what people call them, and puts together what is known about one.
struct ExecutionLookup: Sendable {
    let pipelines: PipelineService
    let scope: AccountRegion

    /// By running number, id, or `latest`.
    func find(_ which: String, of pipeline: String) async throws -> ExecutionSummary {
        if which == "latest" {
            let page = try await pipelines.listExecutions(of: pipeline, in: scope, limit: 1)
            guard let first = page.items.first else {
                throw NativeError(404, "NoExecution", "pipeline \(pipeline) has not been executed yet")
            }
            return first
        }
        if let number = Int(which) { return try await pipelines.getExecution(number: number, of: pipeline, in: scope) }
        return try await pipelines.getExecution(which, of: pipeline, in: scope)
    }

    /// Every run of an action in an execution, the first first.
    func runs(of execution: ExecutionSummary) async throws -> [ActionExecutionDetail] {
        var runs: [ActionExecutionDetail] = []
        var token: String?
        repeat {
            let page = try await pipelines.listActionExecutions(
                of: execution.pipelineName, execution: execution.id, in: scope, nextToken: token)
            runs += page.items
            token = page.nextToken
        } while token != nil
        return runs.reversed()
    }

    /// The execution with its stages, as far as they have come.
    func answer(_ execution: ExecutionSummary) async throws -> ExecutionAnswer {
        let record = try await pipelines.getPipeline(
            execution.pipelineName, version: execution.pipelineVersion, in: scope)
        var latest: [String: ActionExecutionDetail] = [:]
        for run in try await runs(of: execution) { latest["\(run.stageName)/\(run.actionName)"] = run }
        let stages = record.declaration.stages.map { stage in
            let actions = stage.actions.map { action in
                Self.item(action, latest["\(stage.name)/\(action.name)"])
            }
            return StageItem(name: stage.name, status: Self.status(actions, execution.status), actions: actions)
        }
        return ExecutionAnswer(execution: ExecutionItem(execution), stages: stages)
    }

    private static func item(_ declared: ActionDeclaration, _ run: ActionExecutionDetail?) -> ActionItem {
        ActionItem(
            name: declared.name, provider: declared.actionTypeId.provider,
            category: declared.actionTypeId.category.rawValue, status: run?.status.rawValue, started: run?.startTime,
            updated: run?.lastUpdateTime, summary: run?.progress.summary, errorCode: run?.error?.code,
            errorMessage: run?.error?.message, actionExecutionID: run?.actionExecutionID,
            externalID: run?.progress.externalExecutionID, externalURL: run?.progress.externalExecutionURL,
            percentComplete: run?.progress.percentComplete, token: run?.approvalToken)
    }

    /// A stage's status from those of its actions.
    private static func status(_ actions: [ActionItem], _ execution: ExecutionStatus) -> String? {
        let known = actions.compactMap(\.status)
        if known.isEmpty { return nil }
        if known.contains("InProgress") { return execution == .stopping ? "Stopping" : "InProgress" }
        if known.contains("Failed") { return "Failed" }
        if known.contains("Abandoned") { return "Stopped" }
        if known.count == actions.count { return "Succeeded" }
        return execution.isLive ? "InProgress" : execution.rawValue
    }
}

extension NativeRequest {
    /// Looks for executions in the caller's account and region.
    var executions: ExecutionLookup { ExecutionLookup(pipelines: services.pipelines, scope: scope) }

    /// The execution that the parameters `pipeline` and `which` name.
    func namedExecution() async throws -> ExecutionSummary {
        try await executions.find(value("which") ?? "latest", of: try require("pipeline"))
    }
}
