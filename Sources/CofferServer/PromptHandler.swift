import AWSProtocol
import Cryptography
import HTTPTypes
import NIOCore
import NIOHTTP1

/// Answers small documents on the event loop of their connection, and passes all other requests on.
///
/// What the JSON services are asked is mostly answered from memory, and handing such a request to the connection's task and
/// its answer back costs several times the answer. So it is gathered here and answered by the same function as any other,
/// which begins at once; if it has to wait for something, it goes on in the cooperative pool, and its answer comes back to
/// the event loop. Requests of one connection are answered in their order: one is taken only when no other is under way,
/// and what arrives meanwhile is held, at most what one read from the socket holds.
final class PromptHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The largest body that is gathered, in bytes.
    static let bodyBytesMax = 64 << 10

    private enum State {
        /// Between requests. Next: `gathering`, `passing`.
        case idle
        /// Reading a request that is answered here. Next: `answering`.
        case gathering(HTTPRequestHead, GatheredBody)
        /// Reading a request that is passed on. Next: `idle`.
        case passing
        /// A request is being answered here. Next: `idle`.
        case answering
    }

    /// What arrived while a request was being answered.
    private enum Held {
        case part(HTTPServerRequestPart)
        case event(Any)
        case failure(any Error)
    }

    private let door: HTTPDoor
    private let idleTimeout: TimeAmount?
    private var state = State.idle
    /// Requests passed on whose answers have not ended.
    private var passed = 0
    /// Whether the answer that is passing has a secret in it.
    private var passesSecret = false
    private var lastAnswer = NIODeadline.now()
    /// Whether an answer has been written and not flushed.
    private var isFlushDue = false
    private var held: [Held] = []
    private var wantsRead = false
    private var context: ChannelHandlerContext?
    private var encoder: ChannelHandlerContext?
    private var remoteAddress = ""

    init(_ door: HTTPDoor, idleTimeout: TimeAmount? = nil) {
        self.door = door
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        // Answers are written as bytes, from where the encoder of all others stands; without one none is written here.
        encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
        remoteAddress = context.remoteAddress?.ipAddress ?? ""
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        flushIfDue()
        self.context = nil
        encoder = nil
        if case .gathering(_, let body) = state { body.wipe() }
        for case .part(.body(let piece)) in held { piece.wipe() }
        held = []
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isAnswering {
            held.append(.part(part))
        } else {
            take(part, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            closeIfIdle(context)
        } else if isAnswering || (event is ChannelShouldQuiesceEvent && isGathering) {
            // A client's end, or the server's, would end the connection before its last answer.
            held.append(.event(event))
        } else {
            flushIfDue()
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Bytes that are no request are answered after the request before them.
        if isAnswering {
            held.append(.failure(error))
        } else {
            flushIfDue()
            context.fireErrorCaught(error)
        }
    }

    private var isAnswering: Bool {
        if case .answering = state { true } else { false }
    }

    private var isGathering: Bool {
        if case .gathering = state { true } else { false }
    }

    /// Nothing has come for the time given. Only a client that waits for an answer may be silent as long.
    private func closeIfIdle(_ context: ChannelHandlerContext) {
        guard let idleTimeout, NIODeadline.now() - lastAnswer >= idleTimeout else { return }
        switch state {
        case .answering: return
        case .idle where passed > 0: return
        case .idle, .gathering, .passing: context.close(promise: nil)
        }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.idle, .head(let head)) where passed == 0 && encoder != nil && Self.isPrompt(head):
            state = .gathering(head, GatheredBody())
        case (.gathering(let head, var body), .body(let piece)):
            state = .idle  // So that the list is not copied.
            body.append(piece)
            state = .gathering(head, body)
        case (.gathering(let head, let body), .end):
            state = .answering
            answer(head, body, context)
        case (.gathering, .head):
            break  // The decoder ends a request before the next.
        case (_, .head):
            state = .passing
            passed += 1
            context.fireChannelRead(wrapInboundOut(part))
        case (_, .body):
            context.fireChannelRead(wrapInboundOut(part))
        case (_, .end):
            state = .idle
            context.fireChannelRead(wrapInboundOut(part))
        }
    }

    /// Whether a request is a small document for one of the JSON services, with nothing about it that needs a task.
    private static func isPrompt(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .POST, head.version == .http1_1, head.uri.utf8.first == UInt8(ascii: "/") else {
            return false
        }
        let headers = head.headers
        guard headers.contains(name: "X-Amz-Target"), let length = headers.first(name: "Content-Length"),
            let bytes = Int(length), (0...bodyBytesMax).contains(bytes), !headers.contains(name: "Transfer-Encoding"),
            !headers.contains(name: "Expect"), !headers.contains(name: "Upgrade")
        else { return false }
        guard let connection = headers.first(name: "Connection") else { return true }
        return connection.lowercased() == "keep-alive"
    }

    // MARK: Outbound

    func read(context: ChannelHandlerContext) {
        if isAnswering {
            wantsRead = true
        } else {
            context.read()
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            passesSecret = head.headers.first(name: "Cache-Control") == ServiceResponse.secretCacheControl
        case .body(.byteBuffer(let buffer)) where passesSecret:
            let sent = promise ?? context.eventLoop.makePromise()
            context.write(data, promise: sent.wiping(buffer))
            return
        case .body: break
        case .end:
            // An answer to bytes that were no request ends without one.
            passed = max(0, passed - 1)
            passesSecret = false
            lastAnswer = .now()
        }
        context.write(data, promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flushIfDue()
        context.close(mode: mode, promise: promise)
    }

    // MARK: Answers

    private func answer(_ head: HTTPRequestHead, _ body: GatheredBody, _ context: ChannelHandlerContext) {
        let started = ContinuousClock.now
        let bytes = body.take()
        door.metrics.began()
        door.metrics.received(bytes: bytes.count)
        let (authority, fields) = Self.fields(head.headers)
        let request = door.serviceRequest(
            HTTPRequest(method: .post, scheme: "http", authority: authority, path: head.uri, headerFields: fields),
            RequestBody(secret: bytes), from: remoteAddress)
        let loop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: loop)
        // Unstructured, for a pipeline has no task of its own: it ends with the answer, which the connection waits for.
        Task.immediate { [door] in
            let response = await door.respond(request).inMemory()
            let finish = { @Sendable in
                handler.value.send(response)
                door.ended(request, response, started)
            }
            if loop.inEventLoop {
                finish()
            } else {
                loop.execute(finish)
            }
        }
    }

    /// The header fields in the words of HTTPTypes, and the host apart, as NIO's own conversion has it.
    private static func fields(_ headers: HTTPHeaders) -> (authority: String?, fields: HTTPFields) {
        var authority: String?
        var fields = HTTPFields()
        fields.reserveCapacity(headers.count)
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { continue }
            if authority == nil, name.canonicalName == "host" {
                authority = value
            } else {
                fields.append(HTTPField(name: name, value: value))
            }
        }
        return (authority, fields)
    }

    private func send(_ response: ServiceResponse?) {
        // Without a context the connection has gone, and nobody waits for the answer.
        guard let context, let encoder else { return }
        guard let response else {
            flushIfDue()
            context.close(promise: nil)
            return
        }
        let head = door.responseHead(response, isHead: false, mustClose: false)
        let bytes = Self.bytes(head, response.body, context.channel.allocator)
        var sent: EventLoopPromise<Void>?
        if case .secret = response.body { sent = context.eventLoop.makePromise().wiping(bytes) }
        encoder.write(NIOAny(bytes), promise: sent)
        flushSoon(context)
        state = .idle
        lastAnswer = .now()
        goOn(context)
    }

    /// Flushes when the event loop has looked at all connections that had something to read. Waking a client that waits costs
    /// as much as half an answer; one that waits for several, as those behind a proxy do, is woken once.
    private func flushSoon(_ context: ChannelHandlerContext) {
        guard !isFlushDue else { return }
        isFlushDue = true
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { handler.value.flushIfDue() }
    }

    /// Must come before anything that may end the connection.
    private func flushIfDue() {
        guard isFlushDue else { return }
        isFlushDue = false
        encoder?.flush()
    }

    /// A whole answer as it goes over the wire (RFC 9112 §4). The values of fields have no line ends: HTTPTypes sees to that.
    private static func bytes(
        _ head: HTTPResponse, _ body: AWSProtocol.ResponseBody, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let isBodiless = head.status.code == 204 || head.status.code == 304
        var buffer = allocator.buffer(capacity: 512 + Int(isBodiless ? 0 : body.length ?? 0))
        if head.status.code == 200 {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        } else {
            buffer.writeString("HTTP/1.1 \(head.status.code) \(head.status.reasonPhrase)\r\n")
        }
        for field in head.headerFields {
            buffer.writeString(field.name.rawName)
            buffer.writeStaticString(": ")
            buffer.writeString(field.value)
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
        guard !isBodiless else { return buffer }
        switch body {
        case .bytes(let bytes): buffer.writeBytes(bytes)
        case .secret(let bytes): bytes.withUnsafeBytes { _ = buffer.writeBytes($0) }
        case .empty, .stream: break
        }
        return buffer
    }

    /// Takes what arrived while a request was being answered, up to the next one that is answered here and has to wait.
    private func goOn(_ context: ChannelHandlerContext) {
        guard !held.isEmpty || wantsRead else { return }
        let arrived = held
        held = []
        for (index, item) in arrived.enumerated() {
            guard !isAnswering else {
                held = Array(arrived[index...]) + held
                return
            }
            switch item {
            case .part(let part): take(part, context)
            case .event(let event):
                flushIfDue()
                context.fireUserInboundEventTriggered(event)
            case .failure(let error):
                flushIfDue()
                context.fireErrorCaught(error)
            }
        }
        if !arrived.isEmpty { context.fireChannelReadComplete() }
        if wantsRead, !isAnswering {
            wantsRead = false
            context.read()
        }
    }
}

extension ServiceResponse {
    /// The most bytes of a streamed answer that are gathered.
    private static let gatheredBytesMax = 16 << 20

    /// The same response with its body in memory; `nil` when its stream fails, and the connection must be cut.
    fileprivate func inMemory() async -> ServiceResponse? {
        guard case .stream = body else { return self }
        // Whatever went wrong, all that can still tell the client is a connection cut short.
        guard let bytes = try? await body.collect(upTo: Self.gatheredBytesMax) else { return nil }
        return ServiceResponse(status: status, headers: headers, body: .bytes(bytes))
    }
}
