import Cryptography
import Foundation
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import AWSProtocol
@testable import CofferServer

@Suite("Plaintext is wiped from the buffers that it went through")
struct WireSecretsTests {
    /// Keeps every buffer that goes to the socket, and what was in it when it went.
    private final class Recorder: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        var sent: [(text: String, buffer: ByteBuffer)] = []
        var fails = false

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let buffer = unwrapOutboundIn(data)
            sent.append((String(buffer: buffer), buffer))
            if fails {
                promise?.fail(ChannelError.ioOnClosedChannel)
            } else {
                context.write(data, promise: promise)
            }
        }
    }

    private static let secret = "0123456789 this is the plaintext 9876543210"

    private static func answer(_ request: ServiceRequest) async -> ServiceResponse {
        let body = try? await request.body.secret(upTo: 1 << 20)
        let isSecret = request.header("x-amz-target") == "Service.Secret"
        guard let body, isSecret else { return .text(status: 200, contentType: "text/plain", "public") }
        var response = ServiceResponse(status: 200, body: .secret(body))
        response.headers.append(contentsOf: ServiceResponse.secretFields)
        return response
    }

    private static func document(_ target: String, _ more: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Service.\(target)\r\n\(more)"
            + "Content-Length: \(secret.utf8.count)\r\n\r\n\(secret)"
    }

    /// A connection without a socket, with the handlers of ``DoorChannel`` that see plaintext.
    private static func connection(_ recorder: Recorder) throws -> EmbeddedChannel {
        let door = HTTPDoor(
            respond: { await answer($0) }, metrics: ServerMetrics(), region: "us-east-1",
            logger: .init(label: "test"))
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers([
            recorder, HTTPResponseEncoder(), ByteToMessageHandler(HTTPRequestDecoder()), PromptHandler(door),
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private static func isZero(_ buffer: ByteBuffer) -> Bool { buffer.readableBytesView.allSatisfy { $0 == 0 } }

    @Test("when it has been sent, and where it was read", arguments: [false, true])
    func promptAnswers(fails: Bool) throws {
        let recorder = Recorder()
        recorder.fails = fails
        let channel = try Self.connection(recorder)
        let request = ByteBuffer(string: Self.document("Secret"))
        try channel.writeInbound(request)
        channel.embeddedEventLoop.run()
        let sent = try #require(recorder.sent.first)
        #expect(sent.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(sent.text.hasSuffix("\r\n\r\n\(Self.secret)"))
        #expect(Self.isZero(sent.buffer))
        #expect(String(buffer: request).hasPrefix("POST / HTTP/1.1\r\n"))
        #expect(!String(buffer: request).contains("plaintext"))
        _ = try? channel.finish()
    }

    @Test("but not before it is sent")
    func waiting() throws {
        let recorder = Recorder()
        let channel = try Self.connection(recorder)
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok,
            headers: [
                "Cache-Control": ServiceResponse.secretCacheControl, "Content-Length": "\(Self.secret.utf8.count)",
            ])
        let body = ByteBuffer(string: Self.secret)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        #expect(String(buffer: body) == Self.secret)
        channel.flush()
        #expect(Self.isZero(body))
        _ = try? channel.finish()
    }

    @Test("also when others answer, and only then", arguments: [false, true], [false, true])
    func passedAnswers(isSecret: Bool, fails: Bool) throws {
        let recorder = Recorder()
        recorder.fails = fails
        let channel = try Self.connection(recorder)
        let cacheControl = isSecret ? ServiceResponse.secretCacheControl : "no-store"
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok,
            headers: ["Cache-Control": cacheControl, "Content-Length": "\(Self.secret.utf8.count)"])
        let body = ByteBuffer(string: Self.secret)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
        #expect(recorder.sent.contains { $0.text == Self.secret })
        #expect(Self.isZero(body) == isSecret)
        _ = try? channel.finish()
    }

    @Test("and from requests whose end never came")
    func cutShort() throws {
        let channel = try Self.connection(Recorder())
        let start = ByteBuffer(string: String(Self.document("Secret").dropLast(5)))
        try channel.writeInbound(start)
        #expect(String(buffer: start).contains("plaintext"))
        _ = try? channel.finish()
        #expect(!String(buffer: start).contains("plaintext"))
    }

    @Test(
        "and clients see nothing of it",
        arguments: ["", "Connection: close\r\n", "Expect: 100-continue\r\n"])
    func overTheWire(more: String) async throws {
        try await withDoor({ await Self.answer($0) }) { port in
            let wire = try Wire(port: port)
            await wire.send(Self.document("Secret", more))
            let answer = await wire.read(until: "\r\n\r\n\(Self.secret)")
            #expect(answer.hasSuffix("\r\n\r\n\(Self.secret)"))
            #expect(answer.lowercased().contains("cache-control: no-cache, no-store, must-revalidate, private\r\n"))
            #expect(answer.lowercased().contains("content-length: \(Self.secret.utf8.count)\r\n"))
        }
    }
}
