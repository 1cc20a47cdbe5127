public import KeyHierarchy
public import PipelineModel

/// Asks a source for its newest revision.
public protocol SourcePoller: Sendable {
    /// The action types it polls for.
    var types: [ActionTypeID] { get }

    /// The newest revision; nil when there is none yet.
    func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision?
}
