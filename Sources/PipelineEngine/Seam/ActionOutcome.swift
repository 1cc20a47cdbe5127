public import ArtifactStore

/// Progress of a job; nil leaves what was reported before.
public struct ActionProgress: Sendable, Hashable, Codable {
    /// For people.
    public var summary: String?
    /// The provider's own id for this run.
    public var externalExecutionID: String?
    /// Where to look at it.
    public var externalExecutionURL: String?
    /// 0 to 100.
    public var percentComplete: Int?
    /// The ARN or name of the log stream.
    public var logStream: String?

    /// Describes progress.
    public init(
        summary: String? = nil, externalExecutionID: String? = nil, externalExecutionURL: String? = nil,
        percentComplete: Int? = nil, logStream: String? = nil
    ) {
        self.summary = summary
        self.externalExecutionID = externalExecutionID
        self.externalExecutionURL = externalExecutionURL
        self.percentComplete = percentComplete
        self.logStream = logStream
    }
}

/// How a job ended well.
public struct ActionOutcome: Sendable {
    /// Versions for outputs that were not published through the context, by artifact name.
    public var outputs: [String: VersionID]
    /// Output variables.
    public var variables: [String: String]
    /// For people.
    public var summary: String?
    /// The provider's own id for this run.
    public var externalExecutionID: String?
    /// Where to look at it.
    public var externalExecutionURL: String?
    /// The ARN or name of the log stream.
    public var logStream: String?
    /// What a source action found.
    public var revision: SourceRevision?

    /// An outcome.
    public init(
        outputs: [String: VersionID] = [:], variables: [String: String] = [:], summary: String? = nil,
        externalExecutionID: String? = nil, externalExecutionURL: String? = nil, logStream: String? = nil,
        revision: SourceRevision? = nil
    ) {
        self.outputs = outputs
        self.variables = variables
        self.summary = summary
        self.externalExecutionID = externalExecutionID
        self.externalExecutionURL = externalExecutionURL
        self.logStream = logStream
        self.revision = revision
    }
}

/// How a job ended badly.
public struct ActionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// A failure type as the jobs API spells it.
    public struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
        /// The spelling on the wire.
        public var rawValue: String
        /// Wraps any code.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// Wraps a literal code.
        public init(stringLiteral value: String) { rawValue = value }
        /// The work was done and failed.
        public static let jobFailed: Code = "JobFailed"
        /// The action is configured in a way that cannot work.
        public static let configuration: Code = "ConfigurationError"
        /// Something may not be done.
        public static let permission: Code = "PermissionError"
        /// The revision is not the expected one.
        public static let revisionOutOfSync: Code = "RevisionOutOfSync"
        /// The revision does not exist.
        public static let revisionUnavailable: Code = "RevisionUnavailable"
        /// Something the work depends on does not answer.
        public static let systemUnavailable: Code = "SystemUnavailable"
        /// The action ran out of time.
        public static let timedOut: Code = "ActionTimedOut"
    }

    /// What a program branches on.
    public var code: Code
    /// What a person reads.
    public var message: String
    /// The provider's own id for this run.
    public var externalExecutionID: String?
    /// The ARN or name of the log stream.
    public var logStream: String?

    /// A failure.
    public init(_ code: Code, _ message: String, externalExecutionID: String? = nil, logStream: String? = nil) {
        self.code = code
        self.message = message
        self.externalExecutionID = externalExecutionID
        self.logStream = logStream
    }

    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}

/// The job is not (or no longer) this worker's: it was handed to another, or its action was abandoned.
public struct LostLease: Error, Sendable, Hashable, CustomStringConvertible {
    /// The job.
    public var jobID: String
    /// For people.
    public var description: String { "job \(jobID) is no longer held by this worker; its results are ignored" }
}
