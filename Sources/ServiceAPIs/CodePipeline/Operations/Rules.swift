import AWSProtocol
import KeyHierarchy
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// What rules of conditions found.
    func addRules(to table: inout JSONOperationTable) {
        table.on("ListRuleExecutions") {
            (input: Shapes.ListRuleExecutionsInput, request: ServiceRequest) -> Shapes.ListRuleExecutionsOutput in
            let caller = try authorize(request, "ListRuleExecutions", on: input.pipelineName)
            let latest = input.filter?.latestInPipelineExecution
            if latest != nil, input.filter?.pipelineExecutionId != nil {
                throw PipelineError(
                    .validation, "The filter takes pipelineExecutionId or latestInPipelineExecution, not both.")
            }
            let page = try await service.listRuleExecutions(
                of: input.pipelineName,
                execution: latest?.pipelineExecutionId ?? input.filter?.pipelineExecutionId,
                latestAttemptOnly: latest?.startTimeRange == "Latest", in: caller.scope, limit: input.maxResults,
                nextToken: input.nextToken)
            let region = caller.scope.region
            return .init(
                ruleExecutionDetails: page.items.map { Self.encode($0, region: region) }, nextToken: page.nextToken)
        }
    }

    private static func encode(_ detail: RuleExecutionDetail, region: String) -> Shapes.RuleExecutionDetail {
        let type = detail.rule?.ruleTypeId
        return .init(
            pipelineExecutionId: detail.executionID, ruleExecutionId: detail.ruleExecutionID,
            pipelineVersion: detail.pipelineVersion, stageName: detail.stageName, ruleName: detail.ruleName,
            startTime: detail.startTime, lastUpdateTime: detail.lastUpdateTime, status: detail.state.status.rawValue,
            input: .init(
                ruleTypeId: type.map {
                    .init(category: $0.category, owner: $0.owner, provider: $0.provider, version: $0.version)
                }, configuration: detail.rule?.configuration,
                resolvedConfiguration: detail.state.resolvedConfiguration, roleArn: detail.rule?.roleArn,
                region: detail.rule?.region ?? region, inputArtifacts: []),
            output: .init(
                executionResult: .init(
                    externalExecutionSummary: detail.state.summary,
                    errorDetails: detail.state.error.map { .init(code: $0.code, message: $0.message) })))
    }
}
