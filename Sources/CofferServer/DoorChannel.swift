import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// The pipeline of one connection: HTTP/1.1, in which a ``PromptHandler`` answers small documents and passes everything else
/// on to the task of the connection, which is in an ``HTTPDoor``.
struct DoorChannel: ServerChildChannel {
    private let http: HTTP1Channel
    private let door: HTTPDoor
    private let idleTimeout: TimeAmount?

    /// Connections to a door.
    /// - Parameter idleTimeout: after which a connection without requests is closed; `nil` for never.
    init(_ door: HTTPDoor, idleTimeout: TimeAmount? = nil) {
        self.door = door
        self.idleTimeout = idleTimeout
        // Only the handler in front sees every request, so idle connections are its business.
        http = HTTP1Channel(responder: { try await door.answer($0, $1, $2) }, configuration: .init(idleTimeout: nil))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { [door, idleTimeout] connection in
            let pipeline = channel.pipeline.syncOperations
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(PromptHandler(door, idleTimeout: idleTimeout), position: .after(decoder))
            if let idleTimeout { try pipeline.addHandler(IdleStateHandler(readTimeout: idleTimeout), position: .first) }
            return connection
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}
