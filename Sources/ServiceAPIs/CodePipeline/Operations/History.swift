import AWSProtocol
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// What happened, and what is going on.
    func addHistory(to table: inout JSONOperationTable) {
        addExecutionHistory(to: &table)
        addActionHistory(to: &table)
    }

    private func addExecutionHistory(to table: inout JSONOperationTable) {
        table.on("GetPipelineState") {
            (input: Shapes.GetPipelineStateInput, request: ServiceRequest) -> Shapes.GetPipelineStateOutput in
            let caller = try authorize(request, "GetPipelineState", on: input.name)
            return Self.encode(try await service.pipelineState(input.name, in: caller.scope))
        }
        table.on("GetPipelineExecution") {
            (input: Shapes.GetPipelineExecutionInput, request: ServiceRequest) -> Shapes.GetPipelineExecutionOutput in
            let caller = try authorize(request, "GetPipelineExecution", on: input.pipelineName)
            let execution = try await service.getExecution(
                input.pipelineExecutionId, of: input.pipelineName, in: caller.scope)
            return .init(pipelineExecution: Self.encodeDetail(execution))
        }
        table.on("ListPipelineExecutions") {
            (input: Shapes.ListPipelineExecutionsInput, request: ServiceRequest)
                -> Shapes.ListPipelineExecutionsOutput in
            let caller = try authorize(request, "ListPipelineExecutions", on: input.pipelineName)
            let page = try await service.listExecutions(
                of: input.pipelineName, succeededIn: input.filter?.succeededInStage?.stageName, in: caller.scope,
                limit: input.maxResults, nextToken: input.nextToken)
            return .init(
                pipelineExecutionSummaries: page.items.map(Self.encodeSummary), nextToken: page.nextToken)
        }
    }

    private func addActionHistory(to table: inout JSONOperationTable) {
        table.on("ListActionExecutions") {
            (input: Shapes.ListActionExecutionsInput, request: ServiceRequest) -> Shapes.ListActionExecutionsOutput in
            let caller = try authorize(request, "ListActionExecutions", on: input.pipelineName)
            let latest = input.filter?.latestInPipelineExecution
            if latest != nil, input.filter?.pipelineExecutionId != nil { throw Self.twoFilters }
            let page = try await service.listActionExecutions(
                of: input.pipelineName,
                execution: latest?.pipelineExecutionId ?? input.filter?.pipelineExecutionId,
                latestAttemptOnly: latest?.startTimeRange == "Latest", in: caller.scope, limit: input.maxResults,
                nextToken: input.nextToken)
            return .init(actionExecutionDetails: page.items.map(Self.encode), nextToken: page.nextToken)
        }
        table.on("ListRuleExecutions") {
            (input: Shapes.ListRuleExecutionsInput, request: ServiceRequest) -> Shapes.ListRuleExecutionsOutput in
            let caller = try authorize(request, "ListRuleExecutions", on: input.pipelineName)
            let latest = input.filter?.latestInPipelineExecution
            if latest != nil, input.filter?.pipelineExecutionId != nil { throw Self.twoFilters }
            let page = try await service.listRuleExecutions(
                of: input.pipelineName,
                execution: latest?.pipelineExecutionId ?? input.filter?.pipelineExecutionId,
                latestAttemptOnly: latest?.startTimeRange == "Latest", in: caller.scope, limit: input.maxResults,
                nextToken: input.nextToken)
            return .init(ruleExecutionDetails: page.items.map(Self.encode), nextToken: page.nextToken)
        }
        // Only EC2 deployments have targets, and there are none here: a run that exists has none.
        table.on("ListDeployActionExecutionTargets") {
            (input: Shapes.ListDeployActionExecutionTargetsInput, request: ServiceRequest)
                -> Shapes.ListDeployActionExecutionTargetsOutput in
            let caller = try authorize(request, "ListDeployActionExecutionTargets", on: input.pipelineName)
            _ = try await service.getActionExecution(input.actionExecutionId, in: caller.scope)
            return .init(targets: [])
        }
    }

    private static var twoFilters: PipelineError {
        PipelineError(.validation, "The filter takes pipelineExecutionId or latestInPipelineExecution, not both.")
    }
}
