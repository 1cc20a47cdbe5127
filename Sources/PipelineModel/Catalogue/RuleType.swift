/// A provider of condition rules and its configuration keys.
public struct RuleType: Sendable, Hashable {
    /// For example `VariableCheck`.
    public var provider: String
    /// Keys a rule must have.
    public var required: [String]
    /// Keys a rule may have.
    public var optional: [String]
    /// Least and most input artifacts.
    public var inputs: ActionType.ArtifactCounts

    /// The rule providers of the rule structure reference.
    public static let builtIn: [RuleType] = [
        RuleType(provider: "DeploymentWindow", required: ["Cron"], optional: ["TimeZone"], inputs: .init(0, 0)),
        RuleType(
            provider: "CloudWatchAlarm", required: ["AlarmName"], optional: ["AlarmStates", "WaitTime"],
            inputs: .init(0, 0)),
        RuleType(
            provider: "LambdaInvoke", required: ["FunctionName"], optional: ["UserParameters"], inputs: .init(0, 5)),
        RuleType(
            provider: "VariableCheck", required: ["Variable", "Value", "Operator"], optional: [], inputs: .init(0, 0)),
        RuleType(
            provider: "CodeBuild", required: ["ProjectName"],
            optional: ["PrimarySource", "EnvironmentVariables", "BatchEnabled", "CombineArtifacts"],
            inputs: .init(1, 5)),
        RuleType(
            provider: "Commands", required: [],
            optional: ["EnvironmentType", "ComputeType", "VpcId", "Subnets", "SecurityGroupIds"], inputs: .init(1, 10)),
    ]
}
