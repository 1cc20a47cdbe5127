/// A stage: actions that run together or in groups, with conditions around them.
public struct StageDeclaration: Sendable, Hashable, Codable {
    /// Unique in the pipeline.
    public var name: String
    /// Reserved by AWS; only an empty list is accepted.
    public var blockers: [BlockerDeclaration]?
    /// The actions.
    public var actions: [ActionDeclaration]
    /// What to do when the stage fails.
    public var onFailure: FailureConditions?
    /// Checked after all actions succeeded.
    public var onSuccess: StageConditions?
    /// Checked before the first action starts.
    public var beforeEntry: StageConditions?

    /// Declares a stage.
    public init(
        name: String, blockers: [BlockerDeclaration]? = nil, actions: [ActionDeclaration],
        onFailure: FailureConditions? = nil, onSuccess: StageConditions? = nil, beforeEntry: StageConditions? = nil
    ) {
        self.name = name
        self.blockers = blockers
        self.actions = actions
        self.onFailure = onFailure
        self.onSuccess = onSuccess
        self.beforeEntry = beforeEntry
    }
}

/// Reserved by AWS.
public struct BlockerDeclaration: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// `Schedule`.
    public var type: String
}

/// The conditions of `beforeEntry` or `onSuccess`; exactly one.
public struct StageConditions: Sendable, Hashable, Codable {
    /// The one condition.
    public var conditions: [ConditionDeclaration]

    /// Declares conditions.
    public init(conditions: [ConditionDeclaration]) { self.conditions = conditions }
}

/// What to do when a stage fails: an unconditional result, or conditions.
public struct FailureConditions: Sendable, Hashable, Codable {
    /// ROLLBACK or RETRY, without conditions.
    public var result: ConditionResult?
    /// What an automatic retry runs again.
    public var retryConfiguration: RetryConfiguration?
    /// At most one condition.
    public var conditions: [ConditionDeclaration]?

    /// Declares what a failure leads to.
    public init(
        result: ConditionResult? = nil, retryConfiguration: RetryConfiguration? = nil,
        conditions: [ConditionDeclaration]? = nil
    ) {
        self.result = result
        self.retryConfiguration = retryConfiguration
        self.conditions = conditions
    }
}

/// What an automatic retry runs again.
public struct RetryConfiguration: Sendable, Hashable, Codable {
    /// FAILED_ACTIONS when absent.
    public var retryMode: RetryMode?

    /// Declares a retry.
    public init(retryMode: RetryMode?) { self.retryMode = retryMode }
}

/// A condition: rules, and what happens when it engages.
public struct ConditionDeclaration: Sendable, Hashable, Codable {
    /// What happens when the condition is not met (for failure conditions: is met).
    public var result: ConditionResult?
    /// One to five rules, all of which must succeed.
    public var rules: [RuleDeclaration]?

    /// Declares a condition.
    public init(result: ConditionResult? = nil, rules: [RuleDeclaration]? = nil) {
        self.result = result
        self.rules = rules
    }
}

/// One rule of a condition.
public struct RuleDeclaration: Sendable, Hashable, Codable {
    /// Unique in its condition.
    public var name: String
    /// What checks the rule.
    public var ruleTypeId: RuleTypeID
    /// The provider's configuration.
    public var configuration: [String: String]?
    /// Shell commands, for the Commands rule.
    public var commands: [String]?
    /// Artifacts the rule reads.
    public var inputArtifacts: [InputArtifact]?
    /// The role under which the rule runs.
    public var roleArn: String?
    /// Where the rule runs.
    public var region: String?
    /// After this the rule has failed.
    public var timeoutInMinutes: Int?

    /// Declares a rule.
    public init(
        name: String, ruleTypeId: RuleTypeID, configuration: [String: String]? = nil, commands: [String]? = nil,
        inputArtifacts: [InputArtifact]? = nil, roleArn: String? = nil, region: String? = nil,
        timeoutInMinutes: Int? = nil
    ) {
        self.name = name
        self.ruleTypeId = ruleTypeId
        self.configuration = configuration
        self.commands = commands
        self.inputArtifacts = inputArtifacts
        self.roleArn = roleArn
        self.region = region
        self.timeoutInMinutes = timeoutInMinutes
    }
}

/// What checks a rule.
public struct RuleTypeID: Sendable, Hashable, Codable {
    /// Always `Rule`.
    public var category: String
    /// `AWS`.
    public var owner: String?
    /// For example `VariableCheck`.
    public var provider: String
    /// `1`.
    public var version: String?

    /// Names a rule type.
    public init(category: String = "Rule", owner: String? = "AWS", provider: String, version: String? = "1") {
        self.category = category
        self.owner = owner
        self.provider = provider
        self.version = version
    }
}
