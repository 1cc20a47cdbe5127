/// A pipeline as its author declares it; member names are AWS's, so that the synthesised coding is the wire form.
public struct PipelineDeclaration: Sendable, Hashable, Codable {
    /// Unique in account and region; cannot be changed.
    public var name: String
    /// The role under which the pipeline acts.
    public var roleArn: String
    /// Where artifacts go; exactly one of this and `artifactStores`.
    public var artifactStore: ArtifactStoreDeclaration?
    /// Where artifacts go, by region.
    public var artifactStores: [String: ArtifactStoreDeclaration]?
    /// The stages, in order.
    public var stages: [StageDeclaration]
    /// Assigned by the service; ignored on input.
    public var version: Int?
    /// How executions share the stages; SUPERSEDED when absent.
    public var executionMode: ExecutionMode?
    /// The feature set.
    public var pipelineType: PipelineType?
    /// Variables given at the start of an execution.
    public var variables: [PipelineVariableDeclaration]?
    /// Git events that start executions.
    public var triggers: [TriggerDeclaration]?

    /// Makes a declaration.
    public init(
        name: String, roleArn: String, artifactStore: ArtifactStoreDeclaration? = nil,
        artifactStores: [String: ArtifactStoreDeclaration]? = nil, stages: [StageDeclaration], version: Int? = nil,
        executionMode: ExecutionMode? = nil, pipelineType: PipelineType? = nil,
        variables: [PipelineVariableDeclaration]? = nil, triggers: [TriggerDeclaration]? = nil
    ) {
        self.name = name
        self.roleArn = roleArn
        self.artifactStore = artifactStore
        self.artifactStores = artifactStores
        self.stages = stages
        self.version = version
        self.executionMode = executionMode
        self.pipelineType = pipelineType
        self.variables = variables
        self.triggers = triggers
    }
}

extension PipelineDeclaration {
    /// The execution mode in force: SUPERSEDED unless declared otherwise.
    public var mode: ExecutionMode { executionMode ?? .superseded }

    /// The artifact store that serves actions of a region, if one is declared.
    public func store(forRegion region: String) -> ArtifactStoreDeclaration? {
        artifactStores?[region] ?? artifactStore
    }

    /// The stage of this name.
    public func stage(_ name: String) -> StageDeclaration? { stages.first { $0.name == name } }

    /// The action of this name in the stage of that name.
    public func action(_ name: String, in stage: String) -> ActionDeclaration? {
        self.stage(stage)?.actions.first { $0.name == name }
    }
}

/// The bucket that holds a pipeline's artifacts.
public struct ArtifactStoreDeclaration: Sendable, Hashable, Codable {
    /// Always `S3`.
    public var type: String
    /// The bucket.
    public var location: String
    /// The KMS key; the default key of the account when absent.
    public var encryptionKey: EncryptionKey?

    /// Makes a store declaration.
    public init(type: String = "S3", location: String, encryptionKey: EncryptionKey? = nil) {
        self.type = type
        self.location = location
        self.encryptionKey = encryptionKey
    }
}

/// A KMS key as a pipeline names it: key id, key ARN or alias ARN.
public struct EncryptionKey: Sendable, Hashable, Codable {
    /// Key id, key ARN or alias ARN.
    public var id: String
    /// Always `KMS`.
    public var type: String

    /// Names a key.
    public init(id: String, type: String = "KMS") {
        self.id = id
        self.type = type
    }
}

/// A variable of the whole pipeline, referred to as `#{variables.NAME}`.
public struct PipelineVariableDeclaration: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// The value used when a start names none; without it the variable is mandatory at start.
    public var defaultValue: String?
    /// For people.
    public var description: String?

    /// Declares a variable.
    public init(name: String, defaultValue: String? = nil, description: String? = nil) {
        self.name = name
        self.defaultValue = defaultValue
        self.description = description
    }
}
