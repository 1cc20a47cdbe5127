public import Logging
public import PipelineEngine

/// How the built-in providers work on this machine.
public struct ProviderConfiguration: Sendable {
    /// The server's data directory, absolute. Jobs work under `work/` in it and see nothing else of it.
    public var dataDirectory: String
    /// Runs build commands as plain child processes where no sandbox works. Off unless the operator says so.
    public var allowsUnsandboxed: Bool
    /// What a sandboxed command may use.
    public var limits: SandboxLimits
    /// Whether sandboxed commands share the machine's network or have none.
    public var network: SandboxNetwork
    /// Extra host directories shown read-only inside the sandbox, such as tool chains under `/home`.
    public var visibleDirectories: [String]
    /// Variables added to the environment of every build, such as the endpoint and short-lived credentials of the
    /// job. Values of names with `SECRET`, `TOKEN`, `PASSWORD` or `CREDENTIAL` in them show as `***` in build logs.
    public var jobEnvironment: @Sendable (ActionJob) async throws -> [String: String]
    /// Throws unless an account may use a key in this way. By default the store's own checks of a key's state are all there is.
    public var requireKey: ArtifactSource.KeyCheck
    /// Where providers say what they do.
    public var logger: Logger

    /// Providers that keep their working files below `dataDirectory`.
    public init(
        dataDirectory: String, allowsUnsandboxed: Bool = false, limits: SandboxLimits = SandboxLimits(),
        network: SandboxNetwork = .shared, visibleDirectories: [String] = [],
        jobEnvironment: @escaping @Sendable (ActionJob) async throws -> [String: String] = { _ in [:] },
        requireKey: @escaping ArtifactSource.KeyCheck = { _, _ in },
        logger: Logger = Logger(label: "coffer.providers")
    ) {
        self.dataDirectory = dataDirectory
        self.allowsUnsandboxed = allowsUnsandboxed
        self.limits = limits
        self.network = network
        self.visibleDirectories = visibleDirectories
        self.jobEnvironment = jobEnvironment
        self.requireKey = requireKey
        self.logger = logger
    }
}

/// What one sandbox may use.
public struct SandboxLimits: Sendable {
    /// Private writable memory of each process, in bytes; nil for no limit. Reserved address space does not count.
    public var processMemoryBytesMax: Int64?
    /// Bytes of output kept of one build. What comes after is dropped, and the log says so.
    public var outputBytesMax: Int
    /// Open files of each process.
    public var openFilesMax: Int

    /// Limits; the defaults suit a machine shared by a few builds.
    public init(processMemoryBytesMax: Int64? = nil, outputBytesMax: Int = 64 << 20, openFilesMax: Int = 65536) {
        self.processMemoryBytesMax = processMemoryBytesMax
        self.outputBytesMax = outputBytesMax
        self.openFilesMax = openFilesMax
    }
}

/// The network that sandboxed commands see.
public enum SandboxNetwork: String, Sendable {
    /// The machine's.
    case shared
    /// A private loopback and nothing else.
    case none
}
