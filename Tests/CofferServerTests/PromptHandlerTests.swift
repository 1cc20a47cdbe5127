import AWSProtocol
import Foundation
import HTTPTypes
import NIOCore
import Testing

@testable import CofferServer

@Suite("Small documents are answered on their connection's event loop")
struct PromptHandlerTests {
    /// A request for a JSON service.
    private static func document(_ body: String, _ more: String = "") -> String {
        "POST /?q HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Service.\(body)\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n"
            + body
    }

    /// Says what was asked; bodies that begin with `wait` are answered after many turns on other threads.
    private static func echo(_ request: ServiceRequest) async -> ServiceResponse {
        let body = try? await request.body.collect(upTo: 1 << 20)
        let text = String(decoding: body ?? [], as: UTF8.self)
        if text.hasPrefix("wait") { await Self.rest() }
        return .text(
            status: 200, contentType: "text/plain",
            "<\(request.method) \(request.path)?\(request.query) \(request.header("X-Amz-Target") ?? "-") \(text)>")
    }

    /// Leaves the thread, again and again.
    private static func rest() async {
        for _ in 0..<100 {
            await withCheckedContinuation { continuation in DispatchQueue.global().async { continuation.resume() } }
        }
    }

    @Test("with the same request in the front's hands as by any other way")
    func answers() async throws {
        try await withDoor({ await Self.echo($0) }) { port in
            let wire = try Wire(port: port)
            await wire.send(Self.document("one"))
            let answer = await wire.read(until: ">")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.hasSuffix("<POST /?q Service.one one>"))
            #expect(answer.lowercased().contains("\r\nserver: coffer\r\n"))
            #expect(answer.lowercased().contains("\r\ndate: "))
            await wire.send(Self.document("wait and see"))
            #expect(await wire.read(until: ">").hasSuffix("<POST /?q Service.wait and see wait and see>"))
        }
    }

    @Test("in the order in which they were sent, whoever answers them")
    func order() async throws {
        try await withDoor({ await Self.echo($0) }) { port in
            let wire = try Wire(port: port)
            let requests = [
                Self.document("wait-1"), Self.document("2"), "GET /get HTTP/1.1\r\nHost: x\r\n\r\n",
                Self.document("wait-3"), Self.document("wait-4"),
                "PUT /put HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nput",
                Self.document("5", "Connection: close\r\n"),
            ]
            await wire.send(requests.joined())
            let answer = await wire.read()
            let bodies = answer.split(separator: "<").dropFirst().compactMap { $0.split(separator: ">").first }
            #expect(
                bodies == [
                    "POST /?q Service.wait-1 wait-1", "POST /?q Service.2 2", "GET /get? - ",
                    "POST /?q Service.wait-3 wait-3", "POST /?q Service.wait-4 wait-4", "PUT /put? - put",
                    "POST /?q Service.5 5",
                ])
        }
    }

    @Test("when the body comes in pieces")
    func pieces() async throws {
        try await withDoor({ await Self.echo($0) }) { port in
            let wire = try Wire(port: port)
            let text = Self.document("in pieces")
            for character in text { await wire.send(String(character)) }
            #expect(await wire.read(until: ">").hasSuffix(" in pieces>"))
        }
    }

    @Test("also when the client has closed its side, and what is no request is refused after it")
    func endings() async throws {
        try await withDoor({ await Self.echo($0) }) { port in
            let half = try Wire(port: port)
            await half.send(Self.document("wait for me"))
            half.finishSending()
            #expect(await half.read().hasSuffix(" wait for me>"))
            let garbled = try Wire(port: port)
            await garbled.send(Self.document("wait first") + "this is no HTTP\r\n\r\n")
            let answer = await garbled.read()
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.contains(" wait first>HTTP/1.1 400 "))
        }
    }

    @Test("unless they are large, come chunked or wait for leave, which others see to")
    func others() async throws {
        try await withDoor({ await Self.echo($0) }) { port in
            let wire = try Wire(port: port)
            let large = String(repeating: "x", count: PromptHandler.bodyBytesMax + 1)
            await wire.send(
                "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: S.L\r\nContent-Length: \(large.utf8.count)\r\n\r\n\(large)"
            )
            #expect(await wire.read(until: ">").hasSuffix("xxx>"))
            await wire.send(
                "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: S.C\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            )
            #expect(await wire.read(until: ">").hasSuffix("S.C abc>"))
            await wire.send(
                "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: S.E\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            #expect(await wire.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            await wire.send("abc")
            #expect(await wire.read(until: ">").hasSuffix("S.E abc>"))
        }
    }

    @Test("with a stream's content gathered, and the connection cut when the stream fails")
    func streams() async throws {
        struct Damage: Error {}
        try await withDoor({ request in
            let fails = request.header("x-amz-target") == "Service.fail"
            let sent = Counter()
            let pieces = AsyncThrowingStream<[UInt8], any Error> {
                switch sent.add(1) {
                case 1: return Array("one ".utf8)
                case 2 where fails: throw Damage()
                case 2: return Array("two".utf8)
                default: return nil
                }
            }
            return ServiceResponse(status: 200, body: .stream(length: nil, pieces))
        }) { port in
            let wire = try Wire(port: port)
            await wire.send(Self.document("good"))
            let answer = await wire.read(until: "two")
            #expect(answer.lowercased().contains("content-length: 7\r\n"))
            #expect(answer.hasSuffix("\r\n\r\none two"))
            await wire.send(Self.document("fail"))
            #expect(await wire.read().isEmpty)
        }
    }

    @Test("however long they take, while connections without requests are closed")
    func idleConnections() async throws {
        let gate = AsyncStream<Void>.makeStream()
        try await withDoor(
            { request in
                for await _ in gate.stream {}
                return await Self.echo(request)
            }, idleTimeout: .milliseconds(50)
        ) { port in
            let busy = try Wire(port: port)
            await busy.send(Self.document("patience"))
            // This one comes later, and is closed: so the other one's time was over as well.
            let first = try Wire(port: port)
            #expect(await first.read().isEmpty)
            let passed = try Wire(port: port)
            await passed.send("GET /passed HTTP/1.1\r\nHost: x\r\n\r\n")
            let second = try Wire(port: port)
            #expect(await second.read().isEmpty)
            gate.continuation.finish()
            #expect(await busy.read(until: ">").hasSuffix(" patience>"))
            #expect(await passed.read(until: ">").hasSuffix("GET /passed? - >"))
        }
    }

    @Test("by as many threads as the process has processors")
    func processors() {
        #expect(Processors.usable(status: "Name:\tcoffer\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n") == 2)
        #expect(Processors.usable(status: "Cpus_allowed:\tff,00000001\n") == 9)
        #expect(Processors.usable(status: "Name:\tcoffer\n") == nil)
        #expect((Processors.usable() ?? 1) >= 1)
    }
}
