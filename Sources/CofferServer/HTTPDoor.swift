import AWSProtocol
import Cryptography
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore

/// Hands HTTP/1.1 requests to something that answers them, without knowing what they ask.
///
/// Bodies stream both ways: a request's bytes are read from the socket as its reader pulls them, a response's bytes are
/// pulled as the socket takes them. Per connection no more is held than NIO's read buffer and one chunk each way.
/// `100 Continue` (RFC 9110 §10.1.1) is sent when the body is first read, so that a request refused for its headers
/// costs no upload.
struct HTTPDoor: Sendable {
    let respond: @Sendable (ServiceRequest) async -> ServiceResponse
    let metrics: ServerMetrics
    let region: String
    let logger: Logger

    /// Answers one request of a connection; throwing closes the connection.
    func answer(_ request: HummingbirdCore.Request, _ writer: consuming ResponseWriter, _ channel: any Channel)
        async throws
    {
        let started = ContinuousClock.now
        metrics.began()
        let exchange = Exchange(writer, expectsContinue: expectsContinue(request.headers))
        let serviceRequest = self.serviceRequest(request, exchange, channel)
        let response = await respond(serviceRequest)
        var sent: Int64 = 0
        defer {
            metrics.ended(status: response.status, duration: ContinuousClock.now - started, bytesOut: sent)
        }
        logger.debug(
            "\(request.method.rawValue) \(serviceRequest.path) \(response.status)",
            metadata: ["request": "\(serviceRequest.requestID)"])
        let mustClose = exchange.isBodyUnasked
        let head = responseHead(response, isHead: request.method == .head, mustClose: mustClose)
        guard let writer = exchange.takeWriter() else { return }
        if case .secret(let bytes) = response.body, request.method != .head {
            sent = Int64(bytes.count)
            try await write(bytes, head, writer, channel)
        } else {
            try await write(response.body, head, isHead: request.method == .head, writer, counting: &sent)
        }
        if mustClose { throw ConnectionEnded() }
    }

    /// Counts and logs an answer that was sent without a task of its own; `nil` for one that could not be read.
    func ended(_ request: ServiceRequest, _ response: ServiceResponse?, _ started: ContinuousClock.Instant) {
        metrics.ended(
            status: response?.status ?? 500, duration: ContinuousClock.now - started,
            bytesOut: response?.body.length ?? 0)
        logger.debug(
            "\(request.method) \(request.path) \(response?.status ?? 500)",
            metadata: ["request": "\(request.requestID)"])
    }

    private func expectsContinue(_ headers: HTTPFields) -> Bool {
        headers[.expect]?.lowercased() == "100-continue"
    }

    private func serviceRequest(_ request: HummingbirdCore.Request, _ exchange: Exchange, _ channel: any Channel)
        -> ServiceRequest
    {
        let length = request.headers[.contentLength].flatMap { Int64($0) }
        let isChunked = request.headers[.transferEncoding] != nil
        let body: AWSProtocol.RequestBody
        if length == 0 || (length == nil && !isChunked) {
            body = RequestBody(bytes: [])
        } else {
            body = RequestBody(
                // Documents may hold plaintext; the bytes of objects and artifacts are many, and none of a key.
                stream: SocketBody(
                    body: request.body, exchange: exchange, metrics: metrics,
                    isDocument: request.headers.contains(.amazonTarget)),
                contentLength: isChunked ? nil : length)
        }
        return serviceRequest(request.head, body, from: channel.remoteAddress?.ipAddress ?? "")
    }

    /// A request in the words of the fronts.
    func serviceRequest(_ head: HTTPRequest, _ body: AWSProtocol.RequestBody, from address: String) -> ServiceRequest {
        let target = originForm(head.path ?? "/")
        let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        return ServiceRequest(
            method: head.method.rawValue,
            path: mark.map { String(target[..<$0]) } ?? target,
            query: mark.map { String(target[target.index(after: $0)...]) } ?? "",
            headers: head.headerFields,
            authority: head.authority ?? "",
            remoteAddress: address,
            isSecure: false,
            body: body,
            requestID: RequestID.make(),
            receivedAt: Date(),
            principal: nil,
            region: region)
    }

    /// The path and query of a request target; a proxy's absolute form (RFC 9112 §3.2.2) loses its scheme and host.
    private func originForm(_ target: String) -> String {
        guard !target.hasPrefix("/"), let scheme = target.range(of: "://") else {
            return target.hasPrefix("/") ? target : "/" + target
        }
        let rest = target[scheme.upperBound...]
        guard let slash = rest.firstIndex(of: "/") else { return "/" }
        return String(rest[slash...])
    }

    /// The head of a response, with what every answer says.
    func responseHead(_ response: ServiceResponse, isHead: Bool, mustClose: Bool) -> HTTPResponse {
        var fields = response.headers
        fields.reserveCapacity(fields.count + 4)
        let isBodiless = response.status == 204 || response.status == 304
        if !isBodiless, !fields.contains(.contentLength), let length = response.body.length {
            fields.append(HTTPField(name: .contentLength, value: String(length)))
        }
        if !fields.contains(.date) { fields.append(HTTPField(name: .date, value: HTTPDate.now())) }
        if !fields.contains(.server) { fields.append(HTTPField(name: .server, value: "coffer")) }
        if mustClose { fields[.connection] = "close" }
        return HTTPResponse(status: .init(code: response.status), headerFields: fields)
    }

    private func write(
        _ body: AWSProtocol.ResponseBody, _ head: HTTPResponse, isHead: Bool, _ writer: consuming ResponseWriter,
        counting sent: inout Int64
    ) async throws {
        if isHead || head.status.code == 204 || head.status.code == 304 {
            try await writer.writeResponse(head)
            return
        }
        switch body {
        case .empty, .secret:
            try await writer.writeResponse(head)
        case .bytes(let bytes):
            sent = Int64(bytes.count)
            try await writer.write(response: head, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        case .stream(let length, let chunks):
            var out = try await writer.writeHead(head)
            var iterator = chunks.makeAsyncIterator()
            while let chunk = try await next(&iterator) {
                if chunk.isEmpty { continue }
                sent += Int64(chunk.count)
                try await out.write(ByteBuffer(bytes: chunk))
            }
            if let length, length != sent {
                logger.error("response of \(sent) bytes was announced as \(length)")
                throw ConnectionEnded()
            }
            try await out.finish(nil)
        }
    }
}

extension HTTPDoor {
    /// Sends an answer with a secret in it. The ``PromptHandler``, through which it passes, wipes the copy that goes out.
    private func write(
        _ secret: SecretBytes, _ head: HTTPResponse, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let buffer = ByteBuffer(copying: secret)
        do {
            try await writer.write(response: head, body: .init(byteBuffer: buffer))
        } catch {
            // It may not have come as far, or be on its way still. Either way this closes the connection.
            channel.closeFuture.whenComplete { _ in buffer.wipe() }
            throw error
        }
    }

    /// The next piece of a response. What goes wrong here is ours; that a client goes away while it is sent is not.
    private func next(_ chunks: inout any AsyncIteratorProtocol<[UInt8], any Error>) async throws -> [UInt8]? {
        do {
            return try await chunks.next(isolation: #isolation)
        } catch {
            // The status is on the wire already: all that can still tell the client is a connection cut short.
            logger.warning("response cut short: \(error)")
            throw error
        }
    }
}

extension HTTPField.Name {
    /// By which documents for the JSON services are known.
    static let amazonTarget: HTTPField.Name = {
        guard let name = HTTPField.Name("X-Amz-Target") else { preconditionFailure("the name is a token") }
        return name
    }()
}

/// Thrown to close a connection whose next bytes cannot be told from the body that was never asked for.
struct ConnectionEnded: Error {}

/// Proof: a writer's one stored property is the outbound writer of a `NIOAsyncChannel`, which is Sendable; the library only
/// does not declare it of the whole. Being noncopyable, a writer has one owner, and `Exchange` is it.
extension ResponseWriter: @retroactive @unchecked Sendable {}

/// One request and the way back to its client.
///
/// Proof: a request has one task that answers it. Its body is read by that task, or by another that it awaits, and an
/// await orders what both do. `takeWriter` is called once, by the answering task when its front has returned; whoever still
/// reads a body then finds no writer to send `100 Continue` with.
final class Exchange: @unchecked Sendable {
    private var writer: ResponseWriter?
    private var expectsContinue: Bool

    init(_ writer: consuming ResponseWriter, expectsContinue: Bool) {
        self.writer = consume writer
        self.expectsContinue = expectsContinue
    }

    /// True when the client waits for leave to send a body and never got it.
    var isBodyUnasked: Bool { expectsContinue }

    func sendContinue() async throws {
        guard expectsContinue else { return }
        expectsContinue = false
        try await writer?.writeInformationalHead(HTTPResponse(status: .continue))
    }

    func takeWriter() -> ResponseWriter? {
        writer.take()
    }
}

/// A request's body as it comes from the socket.
struct SocketBody: AsyncSequence, Sendable {
    let body: HummingbirdCore.RequestBody
    let exchange: Exchange
    let metrics: ServerMetrics
    /// Whether what is read is wiped where the socket's bytes were.
    let isDocument: Bool

    struct Iterator: AsyncIteratorProtocol {
        var buffers: HummingbirdCore.RequestBody.AsyncIterator
        let exchange: Exchange
        let metrics: ServerMetrics
        let isDocument: Bool

        // Concurrent like the iterator inside, which is not written to run on its caller's executor.
        @concurrent mutating func next() async throws -> [UInt8]? {
            try await exchange.sendContinue()
            guard let buffer = try await buffers.next() else { return nil }
            metrics.received(bytes: buffer.readableBytes)
            defer { if isDocument { buffer.wipe() } }
            return Array(buffer.readableBytesView)
        }
    }

    func makeAsyncIterator() -> Iterator {
        Iterator(buffers: body.makeAsyncIterator(), exchange: exchange, metrics: metrics, isDocument: isDocument)
    }
}
