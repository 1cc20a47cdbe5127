public import KeyHierarchy
public import PipelineModel

/// Asks a source for its newest revision.
public protocol SourcePoller: Sendable {
    /// The action types it polls for.
    var types: [ActionTypeID] { get }

    /// The newest revision; nil when there is none yet.
    func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision?

    /// The same for sources that only some pipelines may read.
    func currentRevision(
        configuration: [String: String], scope: AccountRegion, pipeline: String
    ) async throws -> SourceRevision?
}

extension SourcePoller {
    /// By default a source is the same for all pipelines.
    public func currentRevision(
        configuration: [String: String], scope: AccountRegion, pipeline: String
    ) async throws -> SourceRevision? {
        try await currentRevision(configuration: configuration, scope: scope)
    }
}
