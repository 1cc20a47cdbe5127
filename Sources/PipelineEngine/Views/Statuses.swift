/// The status of an execution.
public enum ExecutionStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Running or waiting in front of a stage.
    case inProgress = "InProgress"
    /// Being stopped.
    case stopping = "Stopping"
    /// Stopped on request; may be retried.
    case stopped = "Stopped"
    /// All stages done.
    case succeeded = "Succeeded"
    /// A stage failed; may be retried.
    case failed = "Failed"
    /// Replaced by a newer one while waiting.
    case superseded = "Superseded"
    /// Ended because the pipeline was updated.
    case cancelled = "Cancelled"

    /// Whether the execution still runs or waits.
    public var isLive: Bool { self == .inProgress || self == .stopping }
}

/// The status of an execution's passage through a stage.
public enum StageStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Inside.
    case inProgress = "InProgress"
    /// Being stopped.
    case stopping = "Stopping"
    /// Stopped on request.
    case stopped = "Stopped"
    /// Done.
    case succeeded = "Succeeded"
    /// An action or condition failed.
    case failed = "Failed"
    /// Passed over by an entry condition.
    case skipped = "Skipped"
    /// Ended because the pipeline was updated.
    case cancelled = "Cancelled"
}

/// The status of one run of an action.
public enum ActionStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Running.
    case inProgress = "InProgress"
    /// Done.
    case succeeded = "Succeeded"
    /// Failed.
    case failed = "Failed"
    /// Nobody waits for its result any more.
    case abandoned = "Abandoned"
}

/// The status of a condition.
public enum ConditionStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Being checked.
    case inProgress = "InProgress"
    /// All rules succeeded.
    case succeeded = "Succeeded"
    /// A rule failed.
    case failed = "Failed"
    /// A rule could not be checked.
    case errored = "Errored"
    /// Ended because the pipeline was updated.
    case cancelled = "Cancelled"
    /// Nobody waits for it any more.
    case abandoned = "Abandoned"
    /// A person decided.
    case overridden = "Overridden"
}

/// Whether an execution is an ordinary one or runs one stage of an earlier one again.
public enum ExecutionKind: String, Sendable, Hashable, Codable {
    /// Ordinary.
    case standard = "STANDARD"
    /// A rollback.
    case rollback = "ROLLBACK"
}

/// Where conditions stand around a stage.
public enum ConditionHook: String, Sendable, Hashable, Codable, CaseIterable {
    /// Before the first action.
    case beforeEntry = "BEFORE_ENTRY"
    /// After all actions succeeded.
    case onSuccess = "ON_SUCCESS"
    /// After the stage failed.
    case onFailure = "ON_FAILURE"
}

/// One side of a stage.
public enum TransitionType: String, Sendable, Hashable, Codable {
    /// In front of the stage.
    case inbound = "Inbound"
    /// Behind the stage.
    case outbound = "Outbound"
}
