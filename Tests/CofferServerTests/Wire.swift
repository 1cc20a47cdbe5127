import Dispatch
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

@testable import AWSProtocol
@testable import CofferServer

/// A door on a free port of this machine, answered by a closure, for the time of `body`.
func withDoor(
    _ respond: @escaping @Sendable (ServiceRequest) async -> ServiceResponse, idleTimeout: TimeAmount? = nil,
    _ body: (Int) async throws -> Void
) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let door = HTTPDoor(respond: respond, metrics: ServerMetrics(), region: "us-east-1", logger: logger)
    let bound = Bound()
    let server = HummingbirdCore.Server(
        childChannelSetup: DoorChannel(door, idleTimeout: idleTimeout),
        configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { bound.resolve($0.localAddress?.port) },
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        guard let port = await bound.port() else { return }
        do {
            try await body(port)
        } catch {
            group.cancelAll()
            throw error
        }
        try await server.shutdownGracefully()
    }
}

/// Counts across tasks.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    @discardableResult
    func add(_ more: Int) -> Int {
        count.withLock { count in
            count += more
            return count
        }
    }
}

/// One connection, used with blocking calls away from the cooperative pool.
final class Wire: Sendable {
    private let descriptor: CInt
    private static let queue = DispatchQueue(label: "wire", attributes: .concurrent)

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    deinit { close(descriptor) }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        await withCheckedContinuation { continuation in
            Wire.queue.async { [descriptor] in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes {
                        Foundation.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
                    }
                    guard count > 0 else { break }
                    rest = rest.dropFirst(count)
                }
                continuation.resume()
            }
        }
    }

    /// Says that no more will be sent.
    func finishSending() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Reads until the text contains `end`, the connection closes, or nothing comes for a minute.
    func read(until end: String? = nil) async -> String {
        await withCheckedContinuation { continuation in
            Wire.queue.async { [descriptor] in
                var text: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 65_536)
                while true {
                    let count = recv(descriptor, &buffer, buffer.count, 0)
                    guard count > 0 else { break }
                    text += buffer.prefix(count)
                    if let end, String(decoding: text, as: UTF8.self).contains(end) { break }
                }
                continuation.resume(returning: String(decoding: text, as: UTF8.self))
            }
        }
    }
}
