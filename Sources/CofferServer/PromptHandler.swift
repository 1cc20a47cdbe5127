import AWSProtocol
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers small documents on the event loop of their connection, and passes all other requests on.
///
/// What the JSON services are asked is mostly answered from memory, and handing such a request to the connection's task and
/// its answer back costs several times the answer. So it is gathered here and answered by the same function as any other,
/// which begins at once; if it has to wait for something, it goes on in the cooperative pool, and its answer comes back to
/// the event loop. Requests of one connection are answered in their order: one is taken only when no other is under way,
/// and what arrives meanwhile is held, at most what one read from the socket holds.
final class PromptHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The largest body that is gathered, in bytes.
    static let bodyBytesMax = 64 << 10

    private enum State {
        /// Between requests. Next: `gathering`, `passing`.
        case idle
        /// Reading a request that is answered here. Next: `answering`.
        case gathering(HTTPRequest, ByteBuffer?)
        /// Reading a request that is passed on. Next: `idle`.
        case passing
        /// A request is being answered here. Next: `idle`.
        case answering
    }

    /// What arrived while a request was being answered.
    private enum Held {
        case part(HTTPRequestPart)
        case event(Any)
        case failure(any Error)
    }

    private let door: HTTPDoor
    private var state = State.idle
    /// Requests passed on whose answers have not ended.
    private var passed = 0
    private var held: [Held] = []
    private var wantsRead = false
    private var context: ChannelHandlerContext?
    private var remoteAddress = ""

    init(_ door: HTTPDoor) { self.door = door }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        remoteAddress = context.remoteAddress?.ipAddress ?? ""
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
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
        // The end of the client's side would end the connection before its last answer.
        if isAnswering {
            held.append(.event(event))
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Bytes that are no request are answered after the request before them.
        if isAnswering {
            held.append(.failure(error))
        } else {
            context.fireErrorCaught(error)
        }
    }

    private var isAnswering: Bool {
        if case .answering = state { true } else { false }
    }

    private func take(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.idle, .head(let head)) where passed == 0 && Self.isPrompt(head):
            state = .gathering(head, nil)
        case (.gathering(let head, let soFar), .body(let piece)):
            state = .idle  // So that the buffer is not copied.
            state = .gathering(head, Self.joined(soFar, piece))
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

    private static func joined(_ soFar: ByteBuffer?, _ piece: ByteBuffer) -> ByteBuffer {
        guard var soFar else { return piece }
        soFar.writeImmutableBuffer(piece)
        return soFar
    }

    /// Whether a request is a small document for one of the JSON services, with nothing about it that needs a task.
    private static func isPrompt(_ head: HTTPRequest) -> Bool {
        guard head.method == .post else { return false }
        var hasTarget = false
        var length: Int?
        for field in head.headerFields {
            switch field.name.canonicalName {
            case "x-amz-target": hasTarget = true
            case "content-length": length = Int(field.value)
            case "transfer-encoding", "expect", "upgrade": return false
            case "connection": guard field.value.lowercased() == "keep-alive" else { return false }
            default: break
            }
        }
        return hasTarget && length.map { (0...bodyBytesMax).contains($0) } ?? false
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
        // An answer to bytes that were no request ends without one.
        if case .end = unwrapOutboundIn(data) { passed = max(0, passed - 1) }
        context.write(data, promise: promise)
    }

    // MARK: Answers

    private func answer(_ head: HTTPRequest, _ body: ByteBuffer?, _ context: ChannelHandlerContext) {
        let started = ContinuousClock.now
        let bytes = body.map { Array($0.readableBytesView) } ?? []
        door.metrics.began()
        door.metrics.received(bytes: bytes.count)
        let request = door.serviceRequest(head, RequestBody(bytes: bytes), from: remoteAddress)
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

    private func send(_ response: ServiceResponse?) {
        // Without a context the connection has gone, and nobody waits for the answer.
        guard let context else { return }
        guard let response else {
            context.close(promise: nil)
            return
        }
        let head = door.responseHead(response, isHead: false, mustClose: false)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if case .bytes(let bytes) = response.body, head.status.code != 204, head.status.code != 304 {
            context.write(wrapOutboundOut(.body(ByteBuffer(bytes: bytes))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        state = .idle
        goOn(context)
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
            case .event(let event): context.fireUserInboundEventTriggered(event)
            case .failure(let error): context.fireErrorCaught(error)
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
