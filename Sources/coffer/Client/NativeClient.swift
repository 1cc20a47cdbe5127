import AWSProtocol
import AsyncHTTPClient
import Console
import Cryptography
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOPosix

/// What to do with the thing that a path names.
enum Verb: String, Sendable {
    case GET, PUT, POST, DELETE
}

/// Speaks the native API `/-/v1` of one server, every request signed.
struct NativeClient: Sendable {
    private static let unsignedPayload = "UNSIGNED-PAYLOAD"

    private let http: HTTPClient
    private let signer: RequestSigner
    private let base: String
    private let host: String

    init(_ settings: Settings) {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(120))
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let credentials = settings.credentials
        signer = RequestSigner(
            accessKeyID: credentials.accessKeyID, secret: SecretBytes(copying: Array(credentials.secretAccessKey.utf8)),
            sessionToken: credentials.sessionToken, region: settings.region, service: .coffer)
        let endpoint = settings.endpoint
        let name = (endpoint.host ?? "").contains(":") ? "[\(endpoint.host ?? "")]" : endpoint.host ?? ""
        let isDefaultPort = endpoint.port == nil || endpoint.port == (endpoint.scheme == "https" ? 443 : 80)
        host = isDefaultPort ? name : "\(name):\(endpoint.port ?? 0)"
        base = "\(endpoint.scheme ?? "http")://\(host)"
    }

    func close() async throws { try await http.shutdown() }

    /// The answer to a request, decoded.
    func get<Answer: Decodable>(_ path: String, _ query: [(String, String?)] = [], as type: Answer.Type = Answer.self)
        async throws -> Answer
    {
        try await decode(try await send(.GET, path, query))
    }

    /// Sends a value, decodes the answer.
    func send<Answer: Decodable>(
        _ method: Verb, _ path: String, _ query: [(String, String?)] = [], body: some Encodable,
        as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        try await decode(try await send(method, path, query, bytes: try JSON.compact(body)))
    }

    /// Sends a request without a body.
    func send(_ method: Verb, _ path: String, _ query: [(String, String?)] = [], bytes: [UInt8] = []) async throws
        -> HTTPClientResponse
    {
        let payload = SHA256.digest(bytes).description
        let body: HTTPClientRequest.Body? = bytes.isEmpty ? nil : .bytes(ByteBuffer(bytes: bytes))
        return try await execute(method, path, query, payload: payload, body: body)
    }

    /// Uploads bytes that are not in memory; `length` is sent ahead when it is known.
    func upload<Answer: Decodable, Bytes: AsyncSequence & Sendable>(
        _ path: String, _ query: [(String, String?)], _ bytes: Bytes, length: Int64?, as type: Answer.Type = Answer.self
    ) async throws -> Answer where Bytes.Element == ByteBuffer {
        let body = HTTPClientRequest.Body.stream(bytes, length: length.map { .known($0) } ?? .unknown)
        let response = try await execute(
            .PUT, path, query, payload: NativeClient.unsignedPayload, body: body,
            contentType: "application/octet-stream")
        return try await decode(response)
    }

    /// Hands on the lines of a JSON-lines answer as they come.
    func lines<Line: Decodable>(
        _ path: String, _ query: [(String, String?)], as type: Line.Type = Line.self,
        _ body: (Line) async throws -> Bool
    ) async throws {
        let response = try await send(.GET, path, query)
        var rest: [UInt8] = []
        do {
            for try await buffer in response.body {
                rest += buffer.readableBytesView
                while let newline = rest.firstIndex(of: 10) {
                    let line = Array(rest[..<newline])
                    rest.removeFirst(newline + 1)
                    guard !line.isEmpty else { continue }
                    if let failure = try? JSON.decode(ErrorAnswer.self, from: line) {
                        throw CommandFailure(CommandExit(status: 500, code: failure.code), failure.message)
                    }
                    guard try await body(try JSON.decode(Line.self, from: line)) else { return }
                }
            }
        } catch let error as CommandFailure {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw CommandFailure(.unreachable, "the connection to \(base) broke: \(NativeClient.reason(error))")
        }
    }

    /// Hands on the bytes of an answer as they come.
    func download(
        _ path: String, _ query: [(String, String?)],
        answered: (_ length: Int64?, _ kind: String?) -> Void = { _, _ in },
        _ body: ([UInt8]) async throws -> Void
    ) async throws {
        let response = try await send(.GET, path, query)
        let length = response.headers.first(name: "content-length").flatMap { Int64($0) }
        answered(length, response.headers.first(name: "x-coffer-kind"))
        var received: Int64 = 0
        do {
            for try await buffer in response.body {
                received += Int64(buffer.readableBytes)
                try await body(Array(buffer.readableBytesView))
            }
        } catch let error as CommandFailure {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            // A server that lives and still broke off has found stored bytes that fail their check.
            let exit: CommandExit = await isAlive() ? .integrity : .unreachable
            throw CommandFailure(
                exit,
                "the server broke off after \(received) bytes: \(NativeClient.reason(error))"
                    + (exit == .integrity ? "; `coffer verify` with the version names what is damaged" : ""))
        }
        if let length, length != received {
            throw CommandFailure(.integrity, "the server sent \(received) of \(length) bytes")
        }
    }

    private func isAlive() async -> Bool {
        do {
            let request = HTTPClientRequest(url: base + "/-/health")
            return try await http.execute(request, timeout: .seconds(5)).status == .ok
        } catch {
            return false  // Whatever the reason, nobody answers.
        }
    }

    private func execute(
        _ method: Verb, _ path: String, _ query: [(String, String?)], payload: String,
        body: HTTPClientRequest.Body?, contentType: String = "application/json"
    ) async throws -> HTTPClientResponse {
        var signed = ServiceRequest(
            method: method.rawValue, path: path, query: NativeClient.text(query), authority: host)
        if body != nil { signed.setHeader("content-type", contentType) }
        signer.sign(&signed, payloadHash: payload, date: Date())
        var request = HTTPClientRequest(url: base + path + (signed.query.isEmpty ? "" : "?" + signed.query))
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "host", value: host)
        request.headers.add(name: "user-agent", value: "coffer-cli")
        for field in signed.headers { request.headers.add(name: field.name.rawName, value: field.value) }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, deadline: .distantFuture)
        } catch let error as CommandFailure {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw CommandFailure(.unreachable, "cannot reach \(base): \(NativeClient.reason(error))")
        }
        guard (200..<300).contains(response.status.code) else { throw try await refusal(response) }
        return response
    }

    /// A query as it is sent; parameters without a value are left out.
    private static func text(_ query: [(String, String?)]) -> String {
        query.compactMap { name, value in
            value.map { "\(PercentCoding.encode(name))=\(PercentCoding.encode($0))" }
        }.joined(separator: "&")
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.shortDescription }
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first {
            return "\(first.error)"
        }
        return "\(error)"
    }

    func decode<Answer: Decodable>(_ response: HTTPClientResponse) async throws -> Answer {
        let bytes = try await bytes(response)
        do {
            return try JSON.decode(Answer.self, from: bytes)
        } catch {
            throw CommandFailure(.refused, "\(base) answered with something this coffer does not understand: \(error)")
        }
    }

    /// The body of an answer.
    func bytes(_ response: HTTPClientResponse) async throws -> [UInt8] {
        do {
            return try await collect(response)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw CommandFailure(.unreachable, "the connection to \(base) broke: \(NativeClient.reason(error))")
        }
    }

    private func collect(_ response: HTTPClientResponse) async throws -> [UInt8] {
        Array(try await response.body.collect(upTo: 64 << 20).readableBytesView)
    }

    /// The server's refusal as a failure with the exit code that goes with it.
    private func refusal(_ response: HTTPClientResponse) async throws -> CommandFailure {
        let status = Int(response.status.code)
        // An unreadable body changes nothing about the refusal.
        let bytes = (try? await collect(response)) ?? []
        if let answer = try? JSON.decode(ErrorAnswer.self, from: bytes) {
            return CommandFailure(
                CommandExit(status: status, code: answer.code), "\(answer.code): \(answer.message)", code: answer.code)
        }
        let text = String(decoding: bytes.prefix(200), as: UTF8.self)
        return CommandFailure(
            CommandExit(status: status, code: ""), "\(base) answered \(status): \(text)", code: "\(status)")
    }
}
