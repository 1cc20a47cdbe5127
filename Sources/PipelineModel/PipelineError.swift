/// A refusal, in AWS's words: an error code a client can branch on and a message a person can act on.
///
/// Codes are those of the CodePipeline API (2015-07-09). The set is open so that a new code breaks no caller.
public struct PipelineError: Error, Hashable, Sendable, CustomStringConvertible {
    /// An error code as the CodePipeline API spells it.
    public struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
        /// The spelling on the wire.
        public var rawValue: String
        /// Wraps any code.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// Wraps a literal code.
        public init(stringLiteral value: String) { rawValue = value }
    }

    /// What a program branches on.
    public var code: Code
    /// What a person reads: what was wrong, where, and what would be right. Never contains secrets.
    public var message: String

    /// Makes an error of any code.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code and the message, safe to show.
    public var description: String { "\(code.rawValue): \(message)" }
}

extension PipelineError.Code {
    /// A member of the request violates a constraint of its shape.
    public static let validation: Self = "ValidationException"
    /// The pipeline as a whole is not well formed.
    public static let invalidStructure: Self = "InvalidStructureException"
    /// A stage is not well formed.
    public static let invalidStage: Self = "InvalidStageDeclarationException"
    /// An action is not well formed.
    public static let invalidAction: Self = "InvalidActionDeclarationException"
    /// A blocker, which is reserved, was declared.
    public static let invalidBlocker: Self = "InvalidBlockerDeclarationException"
    /// The name is taken in this account and region.
    public static let pipelineNameInUse: Self = "PipelineNameInUseException"
    /// No such pipeline in this account and region.
    public static let pipelineNotFound: Self = "PipelineNotFoundException"
    /// The pipeline never had this version.
    public static let pipelineVersionNotFound: Self = "PipelineVersionNotFoundException"
    /// No such execution of this pipeline.
    public static let executionNotFound: Self = "PipelineExecutionNotFoundException"
    /// The execution is over, or can no longer be stopped.
    public static let executionNotStoppable: Self = "PipelineExecutionNotStoppableException"
    /// The execution ran under an older version of the pipeline.
    public static let executionOutdated: Self = "PipelineExecutionOutdatedException"
    /// The execution is being stopped already.
    public static let duplicatedStop: Self = "DuplicatedStopRequestException"
    /// Too many live executions.
    public static let executionsLimit: Self = "ConcurrentPipelineExecutionsLimitExceededException"
    /// No such stage.
    public static let stageNotFound: Self = "StageNotFoundException"
    /// No such action.
    public static let actionNotFound: Self = "ActionNotFoundException"
    /// No such action execution.
    public static let actionExecutionNotFound: Self = "ActionExecutionNotFoundException"
    /// No such action type.
    public static let actionTypeNotFound: Self = "ActionTypeNotFoundException"
    /// The stage cannot be retried.
    public static let stageNotRetryable: Self = "StageNotRetryableException"
    /// Another execution has entered the stage since.
    public static let notLatestExecution: Self = "NotLatestPipelineExecutionException"
    /// The stage cannot be rolled back.
    public static let unableToRollback: Self = "UnableToRollbackStageException"
    /// The condition cannot be overridden.
    public static let conditionNotOverridable: Self = "ConditionNotOverridableException"
    /// Something changed in between, or the same token was used with other parameters.
    public static let conflict: Self = "ConflictException"
    /// The resource was changed at the same moment.
    public static let concurrentModification: Self = "ConcurrentModificationException"
    /// A quota is used up.
    public static let limitExceeded: Self = "LimitExceededException"
    /// The paging token is malformed or belongs to another request.
    public static let invalidNextToken: Self = "InvalidNextTokenException"
    /// The approval token is not (or no longer) valid.
    public static let invalidApprovalToken: Self = "InvalidApprovalTokenException"
    /// The approval was answered before.
    public static let approvalCompleted: Self = "ApprovalAlreadyCompletedException"
    /// A tag key or value is not allowed.
    public static let invalidTags: Self = "InvalidTagsException"
    /// More than fifty tags.
    public static let tooManyTags: Self = "TooManyTagsException"
    /// The ARN names nothing taggable here.
    public static let resourceNotFound: Self = "ResourceNotFoundException"
    /// The ARN is malformed.
    public static let invalidArn: Self = "InvalidArnException"
    /// No such job.
    public static let jobNotFound: Self = "JobNotFoundException"
    /// The job is not in a state that allows this.
    public static let invalidJobState: Self = "InvalidJobStateException"
    /// The nonce is outdated: another worker claimed the job.
    public static let invalidNonce: Self = "InvalidNonceException"
    /// Output variables exceed 122,880 bytes.
    public static let outputVariablesSize: Self = "OutputVariablesSizeExceededException"
    /// The request could not be decoded.
    public static let serialization: Self = "SerializationException"
}
