public import ArtifactStore
public import Foundation
public import PipelineModel

/// What started an execution.
public struct ExecutionTrigger: Sendable, Hashable, Codable {
    /// For example `StartPipelineExecution`, `CreatePipeline`, `PollForSourceChanges`.
    public var type: String
    /// Who or what, at most 1024 characters.
    public var detail: String

    /// Describes a trigger.
    public init(type: String, detail: String) {
        self.type = type
        self.detail = String(detail.prefix(1024))
    }
}

/// A revision found by a source action of an execution.
public struct ExecutionRevision: Sendable, Hashable, Codable {
    /// The source action.
    public var actionName: String
    /// The artifact it produced.
    public var artifactName: String?
    /// The revision.
    public var revision: SourceRevision
}

/// A pipeline variable with the value an execution uses.
public struct ResolvedVariable: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// Its value.
    public var resolvedValue: String

    /// A variable with its value.
    public init(name: String, resolvedValue: String) {
        self.name = name
        self.resolvedValue = resolvedValue
    }
}

/// One execution, as lists and details show it.
public struct ExecutionSummary: Sendable, Hashable {
    /// The pipeline.
    public var pipelineName: String
    /// The version of the pipeline under which it runs.
    public var pipelineVersion: Int
    /// Its id.
    public var id: String
    /// Its running number in the pipeline.
    public var number: Int
    /// Its status.
    public var status: ExecutionStatus
    /// Why, for people.
    public var statusSummary: String?
    /// When it started.
    public var startTime: Date
    /// When its status last changed.
    public var lastUpdateTime: Date
    /// What its source actions found.
    public var revisions: [ExecutionRevision]
    /// Pipeline variables.
    public var variables: [ResolvedVariable]
    /// What started it.
    public var trigger: ExecutionTrigger
    /// The reason given for stopping it.
    public var stopReason: String?
    /// How it shares stages with others.
    public var mode: ExecutionMode
    /// Ordinary or rollback.
    public var kind: ExecutionKind
    /// The execution a rollback returns to.
    public var rollbackTarget: String?
    /// 1, plus one for each retry.
    public var attempt: Int
}

/// Why an action failed.
public struct ErrorDetails: Sendable, Hashable, Codable {
    /// A failure type such as `JobFailed`.
    public var code: String
    /// For people.
    public var message: String
}

/// An artifact of an action execution.
public struct ArtifactLocation: Sendable, Hashable, Codable {
    /// Its name in the pipeline.
    public var name: String
    /// The bucket.
    public var bucket: String
    /// The key.
    public var objectKey: String
    /// The version; nil while an output was not produced.
    public var version: VersionID?
}

/// One run of an action.
public struct ActionExecutionDetail: Sendable, Hashable {
    /// The execution.
    public var executionID: String
    /// The execution's running number.
    public var executionNumber: Int
    /// This run's id.
    public var actionExecutionID: String
    /// The version of the pipeline under which it ran.
    public var pipelineVersion: Int
    /// The stage.
    public var stageName: String
    /// The action.
    public var actionName: String
    /// The attempt of the execution in which it ran.
    public var attempt: Int
    /// When it started.
    public var startTime: Date
    /// When it last changed.
    public var lastUpdateTime: Date
    /// Who changed it last: an approver's ARN, or nil.
    public var updatedBy: String?
    /// Its status.
    public var status: ActionStatus
    /// Its type.
    public var type: ActionTypeID
    /// As declared, secrets masked.
    public var configuration: [String: String]
    /// With references resolved, secrets masked.
    public var resolvedConfiguration: [String: String]
    /// The role under which it acts.
    public var roleARN: String?
    /// Where it runs.
    public var region: String
    /// The namespace of its output variables.
    public var namespace: String?
    /// What it reads.
    public var inputs: [ArtifactLocation]
    /// What it produces.
    public var outputs: [ArtifactLocation]
    /// What it reported.
    public var progress: ActionProgress
    /// Why it failed.
    public var error: ErrorDetails?
    /// Its output variables.
    public var outputVariables: [String: String]
    /// The token with which an open approval is answered.
    public var approvalToken: String?
    /// When an open approval times out.
    public var expires: Date?
    /// What a source action found.
    public var revision: SourceRevision?
}

/// A page of a list.
public struct Page<Element: Sendable>: Sendable {
    /// The elements.
    public var items: [Element]
    /// Asks for the next page; nil on the last.
    public var nextToken: String?

    /// A page.
    public init(items: [Element], nextToken: String?) {
        self.items = items
        self.nextToken = nextToken
    }
}
