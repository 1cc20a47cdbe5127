public import ArtifactStore
public import Foundation
public import KeyHierarchy
public import PipelineModel

/// One piece of work for a runner: everything it needs, fixed when the job was made.
///
/// Inputs are versions, never names: what a job reads does not change when something newer appears.
public struct ActionJob: Sendable {
    /// The job's own id; an action that is tried again after a crash keeps it.
    public var id: String
    /// Grows each time the job is handed out; only the newest holder can publish or report.
    public var fencingToken: Int64
    /// The account and region of the pipeline.
    public var scope: AccountRegion
    /// The pipeline.
    public var pipelineName: String
    /// The version of the pipeline under which the execution runs.
    public var pipelineVersion: Int
    /// The execution.
    public var executionID: String
    /// The execution's running number in its pipeline.
    public var executionNumber: Int
    /// 1 for the first run of the execution, one more for each retry.
    public var attempt: Int
    /// The stage.
    public var stage: String
    /// The action.
    public var action: String
    /// This run of the action.
    public var actionExecutionID: String
    /// The action's type.
    public var type: ActionTypeID
    /// The configuration with all references resolved and secrets in clear.
    public var configuration: [String: String]
    /// The commands with all references resolved (Commands action).
    public var commands: [String]
    /// Names of environment variables to report as output variables (Commands action).
    public var outputVariables: [String]
    /// Environment with all references resolved.
    public var environment: [EnvironmentVariable]
    /// What to read, in the order of the declaration.
    public var inputs: [JobArtifact]
    /// What to produce, in the order of the declaration.
    public var outputs: [JobOutput]
    /// The KMS key of the artifact store; nil is the account's default key.
    public var keyID: String?
    /// The role under which to act.
    public var roleARN: String?
    /// Where the action runs.
    public var region: String
    /// Revisions that the start of the execution asked for, for a source action.
    public var revisionOverrides: [SourceRevisionOverride]
    /// What the execution's source actions have found so far.
    public var revisions: [ExecutionRevision] = []
    /// The account that started the execution, or the pipeline's own name for starts by change.
    public var startedBy: String
    /// When the action started.
    public var startedAt: Date
}

/// An artifact that a job reads.
public struct JobArtifact: Sendable, Hashable, Codable {
    /// Its name in the pipeline.
    public var name: String
    /// Exactly what to read.
    public var version: VersionID
    /// The bucket in which it is shown as an object.
    public var bucket: String
    /// Its key there.
    public var objectKey: String

    /// Names an artifact.
    public init(name: String, version: VersionID, bucket: String, objectKey: String) {
        self.name = name
        self.version = version
        self.bucket = bucket
        self.objectKey = objectKey
    }
}

/// An artifact that a job is to produce.
public struct JobOutput: Sendable, Hashable, Codable {
    /// Its name in the pipeline.
    public var name: String
    /// Which files to collect (Commands action).
    public var files: [String]
    /// The bucket in which it is shown as an object.
    public var bucket: String
    /// Its key there, assigned before the job starts.
    public var objectKey: String

    /// Names an output.
    public init(name: String, files: [String], bucket: String, objectKey: String) {
        self.name = name
        self.files = files
        self.bucket = bucket
        self.objectKey = objectKey
    }
}

/// What one source action found.
public struct SourceRevision: Sendable, Hashable, Codable {
    /// The revision: a commit id, an object's version id.
    public var id: String
    /// Tells two states of the same revision apart, for example an entity tag.
    public var changeID: String?
    /// For people: the commit message.
    public var summary: String?
    /// When the revision was made.
    public var created: Date?
    /// Where to look at it.
    public var url: String?

    /// Describes a revision.
    public init(
        id: String, changeID: String? = nil, summary: String? = nil, created: Date? = nil, url: String? = nil
    ) {
        self.id = id
        self.changeID = changeID
        self.summary = summary
        self.created = created
        self.url = url
    }
}

/// A revision asked for at the start of an execution.
public struct SourceRevisionOverride: Sendable, Hashable, Codable {
    /// The source action.
    public var actionName: String
    /// `COMMIT_ID`, `IMAGE_DIGEST`, `S3_OBJECT_VERSION_ID` or `S3_OBJECT_KEY`.
    public var revisionType: String
    /// The revision.
    public var revisionValue: String

    /// Asks for a revision.
    public init(actionName: String, revisionType: String, revisionValue: String) {
        self.actionName = actionName
        self.revisionType = revisionType
        self.revisionValue = revisionValue
    }
}
