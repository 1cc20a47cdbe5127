public import AWSProtocol
public import AccessControl
public import ActionProviders
public import ArtifactStore
public import KeyHierarchy
public import Logging
public import ObjectStorage
public import PipelineEngine

/// What the native interface works with: the services of one server.
public struct NativeServices: Sendable {
    /// Who may do what.
    public var access: AccessControl
    /// Artifacts.
    public var store: ArtifactStore
    /// Buckets and objects.
    public var objects: ObjectStorage
    /// Keys.
    public var keys: KeyHierarchy
    /// Repositories, projects, logs, sandbox.
    public var providers: ProviderSet
    /// Throws `KeyError` unless the principal may use a key in this way.
    public var requireKeyPermission: @Sendable (KeyPermission, Principal, ServiceRequest) async throws -> Void
    /// Pipelines.
    public var pipelines: PipelineService
    /// What this build calls itself.
    public var version: String
    /// The data directory, for the doctor's look at its disk.
    public var dataDirectory: String
    /// True once the server has been told to stop, so that answers without an end come to one.
    public var isStopping: @Sendable () -> Bool
    /// Where failures are recorded.
    public var logger: Logger
    /// Puts that are being sent.
    let puts = PutSessions()

    /// The services of a server.
    public init(
        access: AccessControl, store: ArtifactStore, objects: ObjectStorage, keys: KeyHierarchy, providers: ProviderSet,
        pipelines: PipelineService, version: String, dataDirectory: String, isStopping: @escaping @Sendable () -> Bool,
        logger: Logger,
        requireKeyPermission: @escaping @Sendable (KeyPermission, Principal, ServiceRequest) async throws -> Void
    ) {
        self.access = access
        self.store = store
        self.objects = objects
        self.keys = keys
        self.providers = providers
        self.pipelines = pipelines
        self.version = version
        self.dataDirectory = dataDirectory
        self.isStopping = isStopping
        self.logger = logger
        self.requireKeyPermission = requireKeyPermission
    }
}
