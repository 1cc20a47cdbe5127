/// What the service knows about a type of action: how many artifacts it takes and what it can be configured with.
public struct ActionType: Sendable, Hashable, Codable {
    /// Which type.
    public var id: ActionTypeID
    /// Links shown to people.
    public var settings: Settings?
    /// The keys its configuration may hold; empty with `isOpen` for types whose keys are not tabulated.
    public var properties: [Property]
    /// Least and most input artifacts.
    public var inputs: ArtifactCounts
    /// Least and most output artifacts.
    public var outputs: ArtifactCounts
    /// Whether only V2 pipelines may use the type.
    public var needsV2: Bool

    /// How many artifacts.
    public struct ArtifactCounts: Sendable, Hashable, Codable {
        /// At least.
        public var minimumCount: Int
        /// At most.
        public var maximumCount: Int
        /// Counts.
        public init(_ minimumCount: Int, _ maximumCount: Int) {
            self.minimumCount = minimumCount
            self.maximumCount = maximumCount
        }
    }

    /// Links shown to people, with `{Config:name}` and `{ExternalExecutionId}` placeholders.
    public struct Settings: Sendable, Hashable, Codable {
        /// Where to configure a third-party action.
        public var thirdPartyConfigurationUrl: String?
        /// The thing the action works with.
        public var entityUrlTemplate: String?
        /// One run of it.
        public var executionUrlTemplate: String?
        /// A revision.
        public var revisionUrlTemplate: String?
        /// Links.
        public init(
            thirdPartyConfigurationUrl: String? = nil, entityUrlTemplate: String? = nil,
            executionUrlTemplate: String? = nil, revisionUrlTemplate: String? = nil
        ) {
            self.thirdPartyConfigurationUrl = thirdPartyConfigurationUrl
            self.entityUrlTemplate = entityUrlTemplate
            self.executionUrlTemplate = executionUrlTemplate
            self.revisionUrlTemplate = revisionUrlTemplate
        }
    }

    /// One key of a configuration.
    public struct Property: Sendable, Hashable, Codable {
        /// The key.
        public var name: String
        /// Whether an action must have it.
        public var required: Bool
        /// Whether it is part of the action's identity.
        public var key: Bool
        /// Whether its value is masked in responses.
        public var secret: Bool
        /// Whether workers may filter their polls by it.
        public var queryable: Bool?
        /// For people.
        public var description: String?
        /// `String`, `Number` or `Boolean`.
        public var type: String?
        /// Describes a key.
        public init(
            name: String, required: Bool, key: Bool = true, secret: Bool = false, queryable: Bool? = nil,
            description: String? = nil, type: String? = nil
        ) {
            self.name = name
            self.required = required
            self.key = key
            self.secret = secret
            self.queryable = queryable
            self.description = description
            self.type = type
        }
    }

    /// Describes a type.
    public init(
        id: ActionTypeID, settings: Settings? = nil, properties: [Property], inputs: ArtifactCounts,
        outputs: ArtifactCounts, needsV2: Bool = false
    ) {
        self.id = id
        self.settings = settings
        self.properties = properties
        self.inputs = inputs
        self.outputs = outputs
        self.needsV2 = needsV2
    }

    /// The names of the keys whose values are masked.
    public var secretKeys: Set<String> { Set(properties.lazy.filter(\.secret).map(\.name)) }
}
