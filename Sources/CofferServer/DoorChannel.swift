import HummingbirdCore
import Logging
import NIOCore

/// The pipeline of one connection: HTTP/1.1, in which a ``PromptHandler`` answers small documents and passes everything else
/// on to the task of the connection, which is in an ``HTTPDoor``.
struct DoorChannel: ServerChildChannel {
    private let http: HTTP1Channel
    private let door: HTTPDoor

    /// Connections to a door.
    /// - Parameter idleTimeout: after which a connection without requests is closed; `nil` for never.
    init(_ door: HTTPDoor, idleTimeout: TimeAmount? = nil) {
        self.door = door
        http = HTTP1Channel(
            responder: { try await door.answer($0, $1, $2) }, configuration: .init(idleTimeout: idleTimeout))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { [door] connection in
            // Behind the handler that counts requests, so that idle and stopping connections are closed as ever.
            let pipeline = channel.pipeline.syncOperations
            let counting = try pipeline.handler(type: HTTPConnectionStateHandler.self)
            try pipeline.addHandler(PromptHandler(door), position: .after(counting))
            return connection
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}
