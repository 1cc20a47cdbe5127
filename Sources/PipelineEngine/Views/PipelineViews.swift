public import Foundation
public import PipelineModel

/// A pipeline with what the service knows about it.
public struct PipelineRecord: Sendable, Hashable {
    /// The declaration in normalised form, secrets masked, `version` filled in.
    public var declaration: PipelineDeclaration
    /// Its ARN.
    public var arn: String
    /// When it was made.
    public var created: Date
    /// When it was last updated.
    public var updated: Date
    /// When polling its sources ended for lack of use.
    public var pollingDisabledAt: Date?
    /// Its tags.
    public var tags: [String: String]
}

/// A line of the list of pipelines.
public struct PipelineSummary: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Its current version.
    public var version: Int
    /// The feature set.
    public var type: PipelineType
    /// How executions share stages.
    public var mode: ExecutionMode
    /// When it was made.
    public var created: Date
    /// When it was last updated.
    public var updated: Date
}

/// The state of a pipeline: where executions are.
public struct PipelineStateView: Sendable, Hashable {
    /// The pipeline.
    public var pipelineName: String
    /// Its current version.
    public var pipelineVersion: Int
    /// The stages in order.
    public var stages: [StageStateView]
    /// When the pipeline was made.
    public var created: Date
    /// When it was last updated.
    public var updated: Date
    /// The sequence number of the latest change, from which to watch on.
    public var sequence: Int64
}

/// An execution in front of or in a stage.
public struct StageExecutionView: Sendable, Hashable {
    /// The execution.
    public var executionID: String
    /// Its running number.
    public var executionNumber: Int
    /// The status of its passage.
    public var status: StageStatus
    /// Ordinary or rollback.
    public var kind: ExecutionKind
}

/// A closed or open transition.
public struct TransitionView: Sendable, Hashable, Codable {
    /// Whether executions may pass.
    public var enabled: Bool
    /// Who changed it last.
    public var lastChangedBy: String?
    /// When.
    public var lastChangedAt: Date?
    /// Why it is closed.
    public var disabledReason: String?
}

/// The state of one stage.
public struct StageStateView: Sendable, Hashable {
    /// The stage.
    public var name: String
    /// Executions that wait in front of it, the next to enter first.
    public var inbound: [StageExecutionView]
    /// The transition in front of it.
    public var inboundTransition: TransitionView
    /// The transition behind it, which AWS's own view does not show.
    public var outboundTransition: TransitionView
    /// The actions in order.
    public var actions: [ActionStateView]
    /// The execution inside, else the last that entered.
    public var latest: StageExecutionView?
    /// The conditions checked for the latest execution.
    public var conditions: [ConditionStateView]
    /// Retries of the latest execution in this stage.
    public var retry: RetryStageView?
}

/// The state of a condition.
public struct ConditionStateView: Sendable, Hashable, Codable {
    /// Where it stands.
    public var hook: ConditionHook
    /// Its status.
    public var status: ConditionStatus
    /// For people.
    public var summary: String?
    /// When the status last changed.
    public var lastStatusChange: Date
    /// Its rules.
    public var rules: [RuleStateView]
}

/// The state of a rule.
public struct RuleStateView: Sendable, Hashable, Codable {
    /// This run of the rule.
    public var ruleExecutionID: String
    /// The rule.
    public var name: String
    /// Its status.
    public var status: ActionStatus
    /// For people.
    public var summary: String?
    /// Why it failed.
    public var error: ErrorDetails?
    /// The configuration with references resolved.
    public var resolvedConfiguration: [String: String]
}

/// How often a stage was retried.
public struct RetryStageView: Sendable, Hashable {
    /// Automatic retries.
    public var automatic: Int
    /// Retries on request.
    public var manual: Int
    /// `AutomatedStageRetry` or `ManualStageRetry`.
    public var latestTrigger: String
}

/// The state of one action.
public struct ActionStateView: Sendable, Hashable {
    /// The action.
    public var name: String
    /// The revision it last worked on.
    public var revision: SourceRevision?
    /// Its latest run.
    public var latest: ActionExecutionDetail?
    /// The thing it works with.
    public var entityURL: String?
    /// Where to look at the revision.
    public var revisionURL: String?
}

/// An approval that waits for an answer.
public struct PendingApproval: Sendable, Hashable {
    /// The pipeline.
    public var pipelineName: String
    /// The execution.
    public var executionID: String
    /// Its running number.
    public var executionNumber: Int
    /// The stage.
    public var stageName: String
    /// The action.
    public var actionName: String
    /// With which to answer.
    public var token: String
    /// When it began to wait.
    public var since: Date
    /// When it times out.
    public var expires: Date
    /// The comment of the action's configuration.
    public var customData: String?
    /// The link of the action's configuration.
    public var externalEntityLink: String?
}

/// One thing that changed in a pipeline, in the order in which it happened.
public struct PipelineChange: Sendable, Hashable, Codable {
    /// What changed.
    public enum Subject: String, Sendable, Hashable, Codable {
        /// The definition.
        case pipeline
        /// A transition.
        case transition
        /// An execution.
        case execution
        /// An execution's passage through a stage.
        case stage
        /// A run of an action.
        case action
        /// A condition around a stage.
        case condition
    }

    /// Counts up by one for each change of the pipeline.
    public var sequence: Int64
    /// When.
    public var time: Date
    /// What.
    public var subject: Subject
    /// For executions, stages and actions as in their events: STARTED, SUCCEEDED, FAILED, RESUMED, STOPPING, STOPPED,
    /// SUPERSEDED, CANCELED, ABANDONED, SKIPPED; else a word of our own: CREATED, UPDATED, ENABLED, DISABLED, PROGRESS.
    public var state: String
    /// The pipeline's version.
    public var pipelineVersion: Int
    /// The execution.
    public var executionID: String?
    /// Its running number.
    public var executionNumber: Int?
    /// Its attempt.
    public var attempt: Int?
    /// The stage.
    public var stage: String?
    /// The action.
    public var action: String?
    /// The run of the action.
    public var actionExecutionID: String?
    /// For people: an error message, a reason.
    public var message: String?
}
