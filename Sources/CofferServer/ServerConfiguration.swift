public import ArtifactStore
public import Logging

/// What `coffer serve` was told. Everything has a default except where the data lives.
public struct ServerConfiguration: Sendable {
    /// Directory that holds everything the server keeps.
    public var dataDirectory: String
    /// Address to listen on, a name or a number.
    public var host = "127.0.0.1"
    /// Port to listen on; 0 lets the system choose, the ready line and `server.json` say which.
    public var port = 8080
    /// Twelve-digit account made by the first start; nil means `000000000000`. Later starts keep the account they find.
    public var account: String?
    /// Region used where a request names none.
    public var region = "us-east-1"
    /// Runs build and deploy commands as plain child processes when no sandbox is to be had.
    public var allowUnsandboxed = false
    /// How far equal content is stored once only.
    public var dedupScope = StoreConfiguration.Scope.key
    /// How the large files of domains that are used for the first time are cut.
    public var chunker = StoreConfiguration.Chunker.gear
    /// Seconds between two looks at a source that has no other way of saying that it changed.
    public var pollSeconds = 10
    /// Root access key for the first start; used only when both are set.
    public var rootAccessKeyID: String?
    /// Secret of the root access key for the first start.
    public var rootSecretAccessKey: String?
    /// Opens a root key that has no unattended slot.
    public var rootPassphrase: String?
    /// Starts although the database was put back to an earlier state, which is then recorded in the version log.
    public var acceptsRollback = false
    /// Files outside the data directory that keep how far the version log has come.
    public var witnesses: [String] = []
    /// Lowest level that reaches standard error.
    public var logLevel = Logger.Level.info

    /// A configuration with the defaults for one data directory.
    public init(dataDirectory: String) {
        self.dataDirectory = dataDirectory
    }
}

/// Why a server cannot start: each case says what was wrong and what would be right.
public struct StartupError: Error, CustomStringConvertible {
    /// What kind of failure it was; the command line turns it into an exit code.
    public enum Kind: Sendable { case usage, held, notADataDirectory, address, rollback, failed }
    /// The kind of failure.
    public let kind: Kind
    /// A sentence for people.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
