import AWSProtocol
import Foundation
import HTTPTypes
import Testing

@testable import CofferServer

@Suite("The HTTP door")
struct HTTPDoorTests {
    private static func text(_ status: Int, _ text: String) -> ServiceResponse {
        ServiceResponse.text(status: status, contentType: "text/plain", text)
    }

    @Test("hands on the path and the query exactly as they were sent")
    func rawTarget() async throws {
        try await withDoor({ Self.text(200, "\($0.method) \($0.path) ? \($0.query) @ \($0.authority)\n") }) { port in
            let wire = try Wire(port: port)
            await wire.send(
                "GET /a%2Fb//c/../%e4?x=%20+y&&z HTTP/1.1\r\nHost: bucket.example:8080\r\nConnection: close\r\n\r\n")
            let answer = await wire.read()
            #expect(answer.hasSuffix("GET /a%2Fb//c/../%e4 ? x=%20+y&&z @ bucket.example:8080\n"))
        }
    }

    @Test("asks for an awaited body only when somebody reads it")
    func continueOnRead() async throws {
        try await withDoor({ request in
            do {
                return Self.text(200, "\(try await request.body.collect(upTo: 100).count) bytes\n")
            } catch {
                return Self.text(500, "\(error)")
            }
        }) { port in
            let wire = try Wire(port: port)
            await wire.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(await wire.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            await wire.send("hello")
            let answer = await wire.read(until: "bytes\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.hasSuffix("5 bytes\n"))
        }
    }

    @Test("refuses an awaited body without asking for it, and ends the connection")
    func refusalWithoutUpload() async throws {
        try await withDoor({ _ in Self.text(403, "no\n") }) { port in
            let wire = try Wire(port: port)
            await wire.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")
            let answer = await wire.read()
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
            #expect(answer.lowercased().contains("connection: close"))
            #expect(answer.hasSuffix("no\n"))
        }
    }

    @Test("keeps a connection for the next request, even when a body was not read")
    func keepAlive() async throws {
        try await withDoor({ Self.text(200, "<\($0.path)>") }) { port in
            let wire = try Wire(port: port)
            await wire.send("PUT /one HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world")
            #expect(await wire.read(until: "</one>").hasPrefix("HTTP/1.1 200 "))
            await wire.send("GET /two HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await wire.read(until: "</two>").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("answers HEAD with the length of what GET would send, and nothing more")
    func head() async throws {
        try await withDoor({ request in
            var response = ServiceResponse(status: 200, headers: [.contentLength: "12345"])
            if request.path == "/bytes" { response = Self.text(200, "seven b") }
            return response
        }) { port in
            let wire = try Wire(port: port)
            await wire.send(
                "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nHEAD /bytes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = await wire.read().lowercased()
            #expect(answer.contains("content-length: 12345\r\n"))
            #expect(answer.contains("content-length: 7\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("streams a chunked request body through and back")
    func chunked() async throws {
        try await withDoor({ ServiceResponse(status: 200, body: .stream(length: nil, $0.body)) }) { port in
            let wire = try Wire(port: port)
            await wire.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            #expect(await wire.read(until: "hello").lowercased().contains("transfer-encoding: chunked"))
            await wire.send("6\r\n world\r\n0\r\n\r\n")
            #expect(await wire.read(until: "0\r\n\r\n").contains(" world"))
        }
    }

    @Test("cuts the connection when a response turns out to be damaged while it is sent")
    func damagedStream() async throws {
        struct Damage: Error {}
        try await withDoor({ _ in
            let sent = Counter()
            let pieces = AsyncThrowingStream<[UInt8], any Error> {
                guard sent.add(1) <= 2 else { throw Damage() }
                return [UInt8](repeating: 65, count: 10)
            }
            return ServiceResponse(status: 200, body: .stream(length: 30, pieces))
        }) { port in
            let wire = try Wire(port: port)
            await wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = await wire.read()
            #expect(answer.contains("content-length: 30") || answer.contains("Content-Length: 30"))
            #expect(answer.hasSuffix("\r\n\r\n" + String(repeating: "A", count: 20)))
        }
    }

    @Test("never holds more of a large body than its reader has asked for")
    func backPressure() async throws {
        // The reader takes one piece and then waits for the test: what the client can send meanwhile is what the socket
        // buffers and one read hold, far less than the whole.
        let total = 32 << 20
        let gate = AsyncStream<Void>.makeStream()
        let firstPiece = AsyncStream<Void>.makeStream()
        try await withDoor({ request in
            var count = 0
            do {
                for try await piece in request.body {
                    if count == 0 {
                        firstPiece.continuation.finish()
                        for await _ in gate.stream { break }
                    }
                    count += piece.count
                }
            } catch { return Self.text(500, "\(error)") }
            return Self.text(200, "got \(count).")
        }) { port in
            let wire = try Wire(port: port)
            let progress = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await wire.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: \(total)\r\n\r\n")
                    let piece = [UInt8](repeating: 7, count: 1 << 20)
                    for _ in 0..<32 {
                        await wire.send(piece)
                        progress.add(piece.count)
                    }
                }
                for await _ in firstPiece.stream { break }
                #expect(progress.value < total)
                gate.continuation.finish()
                try await group.waitForAll()
            }
            #expect(await wire.read(until: "got \(total).").contains("200"))
        }
    }
}
