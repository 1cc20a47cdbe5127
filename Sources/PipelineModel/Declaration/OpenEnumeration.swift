/// A string with well-known values that keeps values it does not know, so that they reach validation and are refused
/// there with the member's path instead of failing to decode.
public protocol OpenEnumeration: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible
where RawValue == String {
    /// Wraps any spelling.
    init(rawValue: String)
    /// The well-known values, in the order in which a refusal lists them.
    static var known: [Self] { get }
}

extension OpenEnumeration {
    /// The spelling on the wire.
    public var description: String { rawValue }
    /// Whether the value is one of the well-known ones.
    public var isKnown: Bool { Self.known.contains(self) }
}

/// How executions of one pipeline share its stages.
public struct ExecutionMode: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A newer execution replaces an older one that waits.
    public static let superseded = Self(rawValue: "SUPERSEDED")
    /// Executions wait their turn.
    public static let queued = Self(rawValue: "QUEUED")
    /// Executions run side by side.
    public static let parallel = Self(rawValue: "PARALLEL")
    /// All of them.
    public static let known: [Self] = [.queued, .superseded, .parallel]
}

/// The feature set of a pipeline.
public struct PipelineType: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// The original feature set.
    public static let v1 = Self(rawValue: "V1")
    /// Variables, triggers, conditions, execution modes.
    public static let v2 = Self(rawValue: "V2")
    /// All of them.
    public static let known: [Self] = [.v1, .v2]
}

/// What an action is for.
public struct ActionCategory: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Produces what a pipeline works on.
    public static let source = Self(rawValue: "Source")
    /// Builds.
    public static let build = Self(rawValue: "Build")
    /// Deploys.
    public static let deploy = Self(rawValue: "Deploy")
    /// Tests.
    public static let test = Self(rawValue: "Test")
    /// Calls something.
    public static let invoke = Self(rawValue: "Invoke")
    /// Waits for a person.
    public static let approval = Self(rawValue: "Approval")
    /// Runs commands.
    public static let compute = Self(rawValue: "Compute")
    /// All of them.
    public static let known: [Self] = [.source, .build, .deploy, .test, .invoke, .approval, .compute]
}

/// Who provides an action type.
public struct ActionOwner: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Built in.
    public static let aws = Self(rawValue: "AWS")
    /// A partner's.
    public static let thirdParty = Self(rawValue: "ThirdParty")
    /// Declared by the account; its workers poll for jobs.
    public static let custom = Self(rawValue: "Custom")
    /// All of them.
    public static let known: [Self] = [.aws, .thirdParty, .custom]
}

/// What to run again in a stage.
public struct RetryMode: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Only what failed; what succeeded keeps its results.
    public static let failedActions = Self(rawValue: "FAILED_ACTIONS")
    /// Everything, from the first group.
    public static let allActions = Self(rawValue: "ALL_ACTIONS")
    /// All of them.
    public static let known: [Self] = [.failedActions, .allActions]
}

/// What a condition does when it engages.
public struct ConditionResult: OpenEnumeration {
    /// The spelling on the wire.
    public var rawValue: String
    /// Wraps any spelling.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Run the last successful execution of the stage again.
    public static let rollback = Self(rawValue: "ROLLBACK")
    /// Fail the stage.
    public static let fail = Self(rawValue: "FAIL")
    /// Try the stage again.
    public static let retry = Self(rawValue: "RETRY")
    /// Pass over the stage.
    public static let skip = Self(rawValue: "SKIP")
    /// All of them.
    public static let known: [Self] = [.rollback, .fail, .retry, .skip]
}
