import ArgumentParser
import ArtifactStore
import CofferServer
import Foundation
import Logging

/// `coffer serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a server on a data directory.",
        discussion: """
            The first start makes the directory, an account and its root access key: COFFER_ROOT_ACCESS_KEY_ID and \
            COFFER_ROOT_SECRET_ACCESS_KEY where both are set, else a new one, kept in the file `credentials` (mode 0600). \
            One line on standard error says when the server is ready and where. SIGTERM finishes what is in flight.
            """)

    @Option(help: ArgumentHelp("Directory that holds everything the server keeps.", valueName: "directory"))
    var data: String

    @Option(help: ArgumentHelp("Address to listen on; port 0 takes a free one.", valueName: "host:port"))
    var listen = "127.0.0.1:8080"

    @Option(
        help: ArgumentHelp("Account of the first start, twelve digits. Default: 000000000000.", valueName: "number"))
    var account: String?

    @Option(help: "Region for requests that name none.")
    var region = "us-east-1"

    @Flag(help: "Run build and deploy commands as plain child processes when there is no bubblewrap.")
    var allowUnsandboxed = false

    @Flag(help: "Start although the database was put back to an earlier state; the version log records it.")
    var acceptRollback = false

    @Option(
        help: ArgumentHelp(
            """
            A file that is only ever added to, best on another machine's volume: it is told how far the version log has \
            come, four times an hour and at the end. A start from an older copy of everything else is then refused. Once \
            more for each further file.
            """,
            valueName: "file"))
    var witness: [String] = []

    @Option(help: ArgumentHelp("Seconds between two looks at a polled source.", valueName: "seconds"))
    var pollSeconds = 10

    @Option(
        help: ArgumentHelp(
            """
            gear or prf: how large files are cut. prf is slower and keeps whoever operates the storage from learning \
            anything from the lengths of chunks. Holds for keys that protect nothing yet, and for others from their next \
            re-encryption on; what is cut by prf stays so.
            """,
            valueName: "chunker"))
    var chunker = "gear"

    @Option(
        help: ArgumentHelp(
            """
            key, account, pipeline or artifact: how far equal content is stored once only. Wider saves more; narrower tells \
            less about who has the same content. Holds for what is stored from now on; `coffer store reencrypt` takes along \
            what is there.
            """,
            valueName: "scope"))
    var dedupScope = "key"

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel = "info"

    func validate() throws {
        guard pollSeconds >= 1 else { throw ValidationError("--poll-seconds must be 1 or more") }
        guard StoreConfiguration.Chunker(rawValue: chunker) != nil else {
            throw ValidationError("--chunker is gear or prf, not \(chunker)")
        }
        guard StoreConfiguration.Scope(rawValue: dedupScope) != nil else {
            throw ValidationError("--dedup-scope is key, account, pipeline or artifact, not \(dedupScope)")
        }
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("no such --log-level: \(logLevel)") }
        if let account {
            guard account.utf8.count == 12, account.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
                throw ValidationError("--account takes twelve digits, not \(account)")
            }
        }
        _ = try hostAndPort()
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let (host, port) = try hostAndPort()
        var configuration = ServerConfiguration(dataDirectory: data)
        configuration.host = host
        configuration.port = port
        configuration.account = account
        configuration.region = region
        configuration.allowUnsandboxed = allowUnsandboxed
        configuration.pollSeconds = pollSeconds
        configuration.dedupScope = StoreConfiguration.Scope(rawValue: dedupScope) ?? .key
        configuration.acceptsRollback = acceptRollback
        configuration.chunker = StoreConfiguration.Chunker(rawValue: chunker) ?? .gear
        configuration.witnesses = witness
        configuration.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        if let id = environment["COFFER_ROOT_ACCESS_KEY_ID"], !id.isEmpty,
            let secret = environment["COFFER_ROOT_SECRET_ACCESS_KEY"], !secret.isEmpty
        {
            configuration.rootAccessKeyID = id
            configuration.rootSecretAccessKey = secret
        }
        configuration.rootPassphrase = environment["COFFER_ROOT_PASSPHRASE"]
        // Secrets of the operator's are not for the commands that pipelines run.
        unsetenv("COFFER_ROOT_PASSPHRASE")
        unsetenv("COFFER_ROOT_ACCESS_KEY_ID")
        unsetenv("COFFER_ROOT_SECRET_ACCESS_KEY")
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "coffer")
        logger.logLevel = configuration.logLevel
        try await Server(configuration: configuration, logger: logger) { ready in
            Talk.line("coffer: ready at \(ready.endpoint) (account \(ready.account), region \(ready.region))")
        }.run()
    }

    /// `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`, `:8080` (all addresses).
    private func hostAndPort() throws -> (String, Int) {
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw ValidationError("--listen takes host:port such as 127.0.0.1:8080, not \(listen)") }
        var host = String(listen[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host.isEmpty ? "0.0.0.0" : host, port)
    }
}
