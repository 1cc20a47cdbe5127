/// Names an action type: category, owner, provider and version.
public struct ActionTypeID: Sendable, Hashable, Codable, CustomStringConvertible {
    /// What the action is for.
    public var category: ActionCategory
    /// Who provides it.
    public var owner: ActionOwner
    /// The provider's name.
    public var provider: String
    /// A string, `1` for everything built in.
    public var version: String

    /// Names an action type.
    public init(category: ActionCategory, owner: ActionOwner = .aws, provider: String, version: String = "1") {
        self.category = category
        self.owner = owner
        self.provider = provider
        self.version = version
    }

    /// `Owner/Category/Provider/Version`, as in the ARN of an action type.
    public var description: String { "\(owner)/\(category)/\(provider)/\(version)" }

    /// The built-in manual approval.
    public static let manualApproval = ActionTypeID(category: .approval, provider: "Manual")
}

/// One action of a stage.
public struct ActionDeclaration: Sendable, Hashable, Codable {
    /// Unique in its stage.
    public var name: String
    /// Its type.
    public var actionTypeId: ActionTypeID
    /// Its group: lower numbers run first, equal numbers together. 1 when absent.
    public var runOrder: Int?
    /// The provider's configuration; values may hold `#{namespace.key}` references.
    public var configuration: [String: String]?
    /// Shell commands, for the Commands action.
    public var commands: [String]?
    /// What it produces.
    public var outputArtifacts: [OutputArtifact]?
    /// What it reads.
    public var inputArtifacts: [InputArtifact]?
    /// Environment variables that a Commands action exports.
    public var outputVariables: [String]?
    /// The role under which it runs.
    public var roleArn: String?
    /// Where it runs; the pipeline's region when absent.
    public var region: String?
    /// Under which its output variables can be referred to.
    public var namespace: String?
    /// The time limit of a manual approval.
    public var timeoutInMinutes: Int?
    /// Environment of a Commands action.
    public var environmentVariables: [EnvironmentVariable]?

    /// Declares an action.
    public init(
        name: String, actionTypeId: ActionTypeID, runOrder: Int? = nil, configuration: [String: String]? = nil,
        commands: [String]? = nil, outputArtifacts: [OutputArtifact]? = nil, inputArtifacts: [InputArtifact]? = nil,
        outputVariables: [String]? = nil, roleArn: String? = nil, region: String? = nil, namespace: String? = nil,
        timeoutInMinutes: Int? = nil, environmentVariables: [EnvironmentVariable]? = nil
    ) {
        self.name = name
        self.actionTypeId = actionTypeId
        self.runOrder = runOrder
        self.configuration = configuration
        self.commands = commands
        self.outputArtifacts = outputArtifacts
        self.inputArtifacts = inputArtifacts
        self.outputVariables = outputVariables
        self.roleArn = roleArn
        self.region = region
        self.namespace = namespace
        self.timeoutInMinutes = timeoutInMinutes
        self.environmentVariables = environmentVariables
    }

    /// The group in force.
    public var order: Int { runOrder ?? 1 }
}

/// An artifact that an action reads.
public struct InputArtifact: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// Names an artifact.
    public init(name: String) { self.name = name }
}

/// An artifact that an action produces.
public struct OutputArtifact: Sendable, Hashable, Codable {
    /// Its name, unique in the pipeline.
    public var name: String
    /// Paths to collect, for the Commands action.
    public var files: [String]?
    /// Names an artifact.
    public init(name: String, files: [String]? = nil) {
        self.name = name
        self.files = files
    }
}

/// One environment variable of a Commands action.
public struct EnvironmentVariable: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// Its value, which may hold references; for SECRETS_MANAGER the name of a secret.
    public var value: String
    /// PLAINTEXT when absent.
    public var type: String?
    /// Declares a variable.
    public init(name: String, value: String, type: String? = nil) {
        self.name = name
        self.value = value
        self.type = type
    }
}
