import PipelineModel

/// What the state machine needs to know of one version of a pipeline.
struct PipelinePlan: Sendable, Hashable {
    /// A stage.
    struct Stage: Sendable, Hashable {
        var name: String
        var actions: [Action]
        /// The result of each condition that is declared.
        var conditions: [ConditionHook: ConditionResult] = [:]
        /// The unconditional result of a failure.
        var failureResult: ConditionResult?
        var retryMode: RetryMode = .failedActions
    }

    /// An action.
    struct Action: Sendable, Hashable {
        var name: String
        var order: Int
        /// Nothing but a person works on it, so that it can be ended without abandoning work.
        var isApproval: Bool
    }

    var version: Int
    var mode: ExecutionMode
    var stages: [Stage]

    func index(of stage: String) -> Int? { stages.firstIndex { $0.name == stage } }
    func stage(_ name: String) -> Stage? { stages.first { $0.name == name } }
}

extension PipelinePlan {
    /// The plan of a declaration.
    init(_ declaration: PipelineDeclaration, version: Int) {
        self.version = version
        mode = declaration.mode
        stages = declaration.stages.map { stage in
            var conditions: [ConditionHook: ConditionResult] = [:]
            // A condition without a result fails the stage when it is not met, as nothing else would make it useful.
            if let entry = stage.beforeEntry?.conditions.first { conditions[.beforeEntry] = entry.result ?? .fail }
            if let success = stage.onSuccess?.conditions.first { conditions[.onSuccess] = success.result ?? .fail }
            if let failure = stage.onFailure?.conditions?.first { conditions[.onFailure] = failure.result ?? .fail }
            return Stage(
                name: stage.name,
                actions: stage.actions.map {
                    Action(name: $0.name, order: $0.order, isApproval: $0.actionTypeId.category == .approval)
                },
                conditions: conditions, failureResult: stage.onFailure?.result,
                retryMode: stage.onFailure?.retryConfiguration?.retryMode ?? .failedActions)
        }
    }
}
