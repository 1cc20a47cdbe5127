import AWSProtocol
import PipelineEngine
import PipelineModel

/// The forms in which `GetPipelineState` shows the engine's view.
extension CodePipelineOperations {
    static func encode(_ state: PipelineStateView) -> Shapes.GetPipelineStateOutput {
        .init(
            pipelineName: state.pipelineName, pipelineVersion: state.pipelineVersion,
            stageStates: state.stages.map(encode), created: state.created, updated: state.updated)
    }

    private static func encode(_ stage: StageStateView) -> Shapes.StageState {
        let waiting = stage.inbound.map(encode)
        return .init(
            stageName: stage.name, inboundExecution: waiting.first,
            inboundExecutions: waiting.isEmpty ? nil : waiting,
            inboundTransitionState: .init(
                enabled: stage.inboundTransition.enabled, lastChangedBy: stage.inboundTransition.lastChangedBy,
                lastChangedAt: stage.inboundTransition.lastChangedAt,
                disabledReason: stage.inboundTransition.disabledReason),
            actionStates: stage.actions.map(encode), latestExecution: stage.latest.map(encode),
            beforeEntryConditionState: encode(stage.conditions, .beforeEntry),
            onSuccessConditionState: encode(stage.conditions, .onSuccess),
            onFailureConditionState: encode(stage.conditions, .onFailure),
            retryStageMetadata: stage.retry.map { retry in
                .init(
                    autoStageRetryAttempt: retry.automatic, manualStageRetryAttempt: retry.manual,
                    latestRetryTrigger: retry.latestTrigger)
            })
    }

    private static func encode(_ execution: StageExecutionView) -> Shapes.StageExecution {
        .init(
            pipelineExecutionId: execution.executionID, status: execution.status.rawValue,
            type: execution.kind.rawValue)
    }

    private static func encode(_ action: ActionStateView) -> Shapes.ActionState {
        .init(
            actionName: action.name, currentRevision: action.revision.map(encode),
            latestExecution: action.latest.map { latest in
                .init(
                    actionExecutionId: latest.actionExecutionID, status: latest.status.rawValue,
                    summary: latest.progress.summary, lastStatusChange: latest.lastUpdateTime,
                    token: latest.approvalToken, lastUpdatedBy: latest.updatedBy,
                    externalExecutionId: latest.progress.externalExecutionID,
                    externalExecutionUrl: latest.progress.externalExecutionURL,
                    percentComplete: latest.progress.percentComplete, errorDetails: latest.error.map(encode),
                    logStreamARN: latest.progress.logStream)
            }, entityUrl: action.entityURL, revisionUrl: action.revisionURL)
    }

    /// Samples of the service hold only what a source knows, although the model calls all three members required.
    private static func encode(_ revision: PipelineEngine.SourceRevision) -> Shapes.ActionRevision {
        .init(revisionId: revision.id, revisionChangeId: revision.changeID, created: revision.created)
    }

    static func encode(_ error: PipelineEngine.ErrorDetails) -> Shapes.ErrorDetails {
        .init(code: error.code, message: error.message)
    }

    // MARK: Conditions

    private static func encode(_ all: [ConditionStateView], _ hook: ConditionHook) -> Shapes.StageConditionState? {
        let conditions = all.filter { $0.hook == hook }
        guard let decisive = conditions.max(by: { weight($0.status) < weight($1.status) }) else { return nil }
        return .init(
            latestExecution: .init(status: decisive.status.rawValue, summary: decisive.summary),
            conditionStates: conditions.map { condition in
                .init(
                    latestExecution: .init(
                        status: condition.status.rawValue, summary: condition.summary,
                        lastStatusChange: condition.lastStatusChange),
                    ruleStates: condition.rules.map { encode($0, condition) })
            })
    }

    private static func encode(_ rule: RuleStateView, _ condition: ConditionStateView) -> Shapes.RuleState {
        .init(
            ruleName: rule.name,
            latestExecution: .init(
                ruleExecutionId: rule.ruleExecutionID, status: rule.status.rawValue, summary: rule.summary,
                lastStatusChange: condition.lastStatusChange, errorDetails: rule.error.map(encode)))
    }

    /// Of several conditions, the one that decides the stage's: what still runs, then what went wrong.
    private static func weight(_ status: ConditionStatus) -> Int {
        switch status {
        case .inProgress: 6
        case .errored: 5
        case .failed: 4
        case .cancelled, .abandoned: 3
        case .overridden: 2
        case .succeeded: 1
        }
    }
}

/// The form in which runs of rules are listed.
extension CodePipelineOperations {
    static func encode(_ detail: PipelineEngine.RuleExecutionDetail) -> Shapes.RuleExecutionDetail {
        .init(
            pipelineExecutionId: detail.executionID, ruleExecutionId: detail.ruleExecutionID,
            pipelineVersion: detail.pipelineVersion, stageName: detail.stageName, ruleName: detail.ruleName,
            startTime: detail.startTime, lastUpdateTime: detail.lastUpdateTime, status: detail.state.status.rawValue,
            input: detail.rule.map { rule in
                .init(
                    ruleTypeId: .init(
                        category: rule.ruleTypeId.category, owner: rule.ruleTypeId.owner,
                        provider: rule.ruleTypeId.provider, version: rule.ruleTypeId.version),
                    configuration: rule.configuration, resolvedConfiguration: detail.state.resolvedConfiguration,
                    roleArn: rule.roleArn, region: rule.region)
            },
            output: .init(
                executionResult: .init(
                    externalExecutionSummary: detail.state.summary, errorDetails: detail.state.error.map(encode))))
    }
}
