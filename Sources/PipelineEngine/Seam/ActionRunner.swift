public import ArtifactStore
public import ObjectStorage
public import PipelineModel

/// Does the work of some action types.
///
/// A job may be run again after a crash: with the same id and a larger fencing token. What a runner does outside of
/// `ActionContext` must stand being done twice.
public protocol ActionRunner: Sendable {
    /// The action types it runs.
    var types: [ActionTypeID] { get }

    /// Does one job. Observes cancellation: the task is cancelled when the action was abandoned or timed out.
    ///
    /// - Throws: `ActionFailure` for an outcome that the action reports; anything else counts as SystemUnavailable.
    func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome
}

/// What a runner may do for its job, made by the engine for each job and fenced: once the job was handed to somebody
/// else, or its action was abandoned, publishing and reporting throw `LostLease`.
public protocol ActionContext: Sendable {
    /// Reads artifacts, begins ingests.
    var store: ArtifactStore { get }
    /// Buckets and objects.
    var objects: ObjectStorage { get }

    /// Publishes what was ingested as one of the job's outputs: the version, the object under the output's key and the
    /// record of the output become visible in one transaction, or none of them does. Publishing the same output again
    /// replaces it.
    func publish(_ staged: StagedContent, as output: String) async throws -> VersionID

    /// Records progress.
    func report(_ progress: ActionProgress) async throws
}

extension ActionContext {
    /// Records progress.
    public func report(
        summary: String? = nil, externalExecutionID: String? = nil, percentComplete: Int? = nil,
        logStream: String? = nil
    ) async throws {
        try await report(
            ActionProgress(
                summary: summary, externalExecutionID: externalExecutionID, percentComplete: percentComplete,
                logStream: logStream))
    }
}
