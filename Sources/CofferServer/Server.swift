import AWSProtocol
import ArtifactStore
import Cryptography
import Foundation
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// One Coffer server: a data directory, everything that lives in it, and the port through which it is used.
///
/// Order of a start: take the directory's lock, open the port (health answers 503), open the house (``House``), say that
/// it is ready. A stop goes the other way: no new connections, requests in flight are answered, the engine settles what it
/// runs, the catalog closes.
public struct Server: Sendable {
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let onReady: @Sendable (Announcement) -> Void

    /// A server as configured; nothing is touched before ``run()``.
    /// - Parameter onReady: called once, when requests are answered; the ready line goes to standard error by itself.
    public init(
        configuration: ServerConfiguration, logger: Logger,
        onReady: @escaping @Sendable (Announcement) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
    }

    /// Runs until SIGTERM or SIGINT, finishes what is in flight and returns. Throws ``StartupError`` when it cannot start.
    public func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        // A file that reaches a limit on its size is a full disk for those who write it, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        // More event loops than processors only make connections wait for each other.
        NIOSingletons.groupLoopCountSuggestion = Processors.usable() ?? System.coreCount
        ProcessMemory.forbidDumps()
        OpenFiles.raise()
        let directory = try DataDirectory(configuration.dataDirectory, create: true)
        let metrics = ServerMetrics()
        let door = FrontDoor(metrics: metrics)
        let http = HTTPDoor(
            respond: { await door.respond(to: $0) }, metrics: metrics, region: configuration.region, logger: logger)
        let bound = Bound()
        let server = HummingbirdCore.Server(
            childChannelSetup: DoorChannel(http, idleTimeout: .seconds(120)),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: nil, backlog: 1024),
            onServerRunning: { bound.resolve($0.localAddress?.port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: quiet(logger))
        let house = HouseService(
            configuration: configuration, directory: directory, door: door, bound: bound, logger: logger,
            onReady: onReady)
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: house),
                .init(service: PortService(server: server, host: configuration.host, door: door)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
        group.maximumGracefulShutdownDuration = .seconds(60)
        try await ServiceGroup(configuration: group).run()
        logger.info("stopped")
    }

    /// What goes wrong in them ends the server with an error of ours; their own words for it tell the operator nothing.
    private func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .critical)
        return logger
    }
}

/// The port, as a service: its failure to open is the operator's to mend and is said in words.
private struct PortService<Channel: ServerChildChannel>: Service {
    let server: HummingbirdCore.Server<Channel>
    let host: String
    let door: FrontDoor

    func run() async throws {
        do {
            try await withGracefulShutdownHandler {
                try await server.run()
            } onGracefulShutdown: {
                // Before the port waits for what is in flight: answers without an end must come to one.
                door.become(.stopping)
            }
        } catch let error as IOError {
            throw StartupError(.address, "cannot listen on \(host): \(String(cString: strerror(error.errnoCode)))")
        } catch let error as SocketAddressError {
            throw StartupError(.address, "cannot listen on \(host): \(error)")
        }
    }
}
