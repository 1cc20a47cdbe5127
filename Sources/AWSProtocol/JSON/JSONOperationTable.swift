import AccessControl
import Cryptography
import Foundation
import HTTPTypes

/// Answers an `application/x-amz-json-1.1` service: finds the operation, decodes, validates, calls, encodes.
public struct JSONOperationTable: Sendable {
    /// The largest request document, in bytes.
    public static let bodyBytesMax = 16 << 20

    private typealias Handler = @Sendable (SecretBytes, ServiceRequest) async throws -> ResponseBody

    private let shapes: ShapeTable
    private let limits: JSONParser.Limits
    private let mapError: @Sendable (any Error) -> AWSError?
    private let report: @Sendable (any Error, ServiceRequest) -> Void
    private var handlers: [String: Handler] = [:]

    /// Makes a table without operations.
    /// - Parameters:
    ///   - shapes: the service's operations and constraints.
    ///   - mapError: gives a domain's errors their AWS form; `nil` for errors it does not know.
    ///   - depthMax: the most objects and lists inside each other that a request may have.
    ///   - allowsRepeatedMembers: whether a request may name a member twice, of which the last counts.
    ///   - report: told of every error that nobody knew, which the client sees as `InternalFailure`.
    public init(
        shapes: ShapeTable, depthMax: Int = 128, allowsRepeatedMembers: Bool = true,
        mapError: @escaping @Sendable (any Error) -> AWSError? = { _ in nil },
        report: @escaping @Sendable (any Error, ServiceRequest) -> Void = { _, _ in }
    ) {
        self.shapes = shapes
        limits = JSONParser.Limits(depthMax: depthMax, allowsRepeatedMembers: allowsRepeatedMembers)
        self.mapError = mapError
        self.report = report
    }

    /// Adds an operation with an answer.
    public mutating func on<Input: Decodable & SendableMetatype, Output: Encodable & SendableMetatype>(
        _ operation: String, _ body: @escaping @Sendable (Input, ServiceRequest) async throws -> Output
    ) {
        let (shapes, limits) = (shapes, limits(of: operation))
        handlers[operation] = { bytes, request in
            let input: Input = try Self.decode(bytes, operation, shapes, limits)
            return try AWSJSON.answer(try await body(input, request))
        }
    }

    /// Adds an operation whose answer is empty.
    public mutating func on<Input: Decodable & SendableMetatype>(
        _ operation: String, _ body: @escaping @Sendable (Input, ServiceRequest) async throws -> Void
    ) {
        let (shapes, limits) = (shapes, limits(of: operation))
        handlers[operation] = { bytes, request in
            let input: Input = try Self.decode(bytes, operation, shapes, limits)
            try await body(input, request)
            return .bytes(Array("{}".utf8))
        }
    }

    private func limits(of operation: String) -> JSONParser.Limits {
        var limits = limits
        limits.secretMembers = shapes.secretMembers(of: operation)
        return limits
    }

    /// The operations that have been added.
    public var supported: Set<String> { Set(handlers.keys) }

    /// Answers a request. The operation is what follows the last dot of `X-Amz-Target`.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        do {
            let operation = try Self.operation(of: request)
            let body = try await answer(operation, request)
            var headers = HTTPFields()
            headers.append(
                HTTPField(
                    name: .contentType, value: request.headers.text("content-type") ?? "application/x-amz-json-1.1"))
            headers.append(HTTPField(name: .amazonRequestID, value: request.requestID))
            if case .secret = body { headers.append(contentsOf: ServiceResponse.secretFields) }
            return ServiceResponse(status: 200, headers: headers, body: body)
        } catch {
            return .failure(self.error(for: error, request), to: request, in: .json)
        }
    }

    /// The operation a JSON request names.
    /// - Throws: ``AWSError`` `UnknownOperationException` when it names none.
    static func operation(of request: ServiceRequest) throws(AWSError) -> String {
        guard let target = request.headers.text("x-amz-target"),
            let dot = target.utf8.lastIndex(of: UInt8(ascii: ".")),
            target.utf8.index(after: dot) < target.endIndex
        else { throw AWSError("UnknownOperationException", "The X-Amz-Target header names no operation.") }
        return String(target[target.utf8.index(after: dot)...])
    }

    private func answer(_ operation: String, _ request: ServiceRequest) async throws -> ResponseBody {
        guard shapes.inputs[operation] != nil else {
            throw AWSError("UnknownOperationException", "There is no operation \(operation.prefix(128)).")
        }
        let bytes = try await request.body.secret(upTo: Self.bodyBytesMax)
        guard let handler = handlers[operation] else {
            throw AWSError(
                "NotImplementedException", "The operation \(operation) is not available in this service.",
                httpStatus: 400)
        }
        return try await handler(bytes, request)
    }

    private static func decode<Input: Decodable>(
        _ bytes: SecretBytes, _ operation: String, _ shapes: ShapeTable, _ limits: JSONParser.Limits
    ) throws(AWSError) -> Input {
        let tree: JSONValue
        do throws(JSONParser.Flaw) {
            tree = try bytes.withUnsafeBytes { bytes throws(JSONParser.Flaw) in
                bytes.isEmpty ? .object([:]) : try JSONParser.parse(bytes, limits)
            }
        } catch {
            throw AWSError("SerializationException", describe(error))
        }
        guard case .object = tree else {
            throw AWSError("SerializationException", "The request must be an object, not \(tree.kindName).")
        }
        try ShapeValidator.validate(tree, operation: operation, table: shapes)
        do {
            return try JSONValueDecoder.decode(Input.self, from: tree)
        } catch let error as DecodingError {
            throw AWSError("SerializationException", describe(error))
        } catch {
            throw AWSError("SerializationException", "The request's body does not have the operation's form.")
        }
    }

    private static func describe(_ flaw: JSONParser.Flaw) -> String {
        switch flaw {
        case .malformed: "The request's body is not a JSON document."
        case .tooDeep(let maximum): "The request is nested deeper than \(maximum) levels."
        case .repeatedMember(let name): "The request names the member '\(name.prefix(128))' twice."
        case .notBase64(let name): "'\(ShapeValidator.place(name, in: ""))' must be base 64, not a string."
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        let path =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context):
                context.codingPath
            @unknown default: [any CodingKey]()
            }
        let text = path.map { key in key.intValue.map { "\($0 + 1).member" } ?? key.stringValue }
        return "The request's member '\(text.joined(separator: "."))' does not have the form that the operation takes."
    }

    private func error(for error: any Error, _ request: ServiceRequest) -> AWSError {
        if let known = error as? AWSError { return known }
        if let denied = error as? AccessDenied { return AWSError(denied, in: .json) }
        if let mapped = mapError(error) ?? .common(error) { return mapped }
        report(error, request)
        return .internalFailure(in: .json)
    }
}

extension HTTPField.Name {
    /// Under which the JSON services name their answers.
    static let amazonRequestID: HTTPField.Name = {
        guard let name = HTTPField.Name("x-amzn-RequestId") else { preconditionFailure("the name is a token") }
        return name
    }()
}
