import AccessControl
import Foundation
import HTTPTypes

/// Answers a Query service: finds `Action`, reads the parameters, validates, calls, writes XML.
public struct QueryOperationTable: Sendable {
    private typealias Handler = @Sendable (JSONValue, ServiceRequest) async throws -> JSONValue

    private let shapes: ShapeTable
    private let namespace: String
    private let version: String
    private let report: @Sendable (any Error, ServiceRequest) -> Void
    private var handlers: [String: Handler] = [:]

    /// Makes a table without operations.
    /// - Parameters:
    ///   - shapes: the service's operations and constraints.
    ///   - namespace: the XML namespace of its answers.
    ///   - version: the `Version` that requests name.
    ///   - report: told of every error that nobody knew, which the client sees as `InternalFailure`.
    public init(
        shapes: ShapeTable, namespace: String, version: String,
        report: @escaping @Sendable (any Error, ServiceRequest) -> Void = { _, _ in }
    ) {
        self.shapes = shapes
        self.namespace = namespace
        self.version = version
        self.report = report
    }

    /// Adds an operation.
    public mutating func on<Input: Decodable & SendableMetatype, Output: Encodable & SendableMetatype>(
        _ operation: String, _ body: @escaping @Sendable (Input, ServiceRequest) async throws -> Output
    ) {
        handlers[operation] = { document, request in
            let input = try JSONValueDecoder.decode(Input.self, from: document)
            return try Self.tree(try await body(input, request))
        }
    }

    /// Answers a request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        do {
            let form = try await QueryForm.read(request)
            guard let operation = form.items["Action"] else {
                throw AWSError("MissingAction", "The request names no Action.")
            }
            guard let input = shapes.inputs[operation] else {
                throw AWSError(
                    "InvalidAction", "Could not find operation \(operation.prefix(128)) for version \(version)")
            }
            guard let handler = handlers[operation] else {
                throw AWSError(
                    "NotImplementedException", "The operation \(operation) is not available in this service.",
                    httpStatus: 400)
            }
            let document = try form.document(input, shapes)
            try validate(document, operation)
            return answer(operation, try await handler(document, request), request)
        } catch let error as AWSError {
            return .failure(error, to: request, in: .query)
        } catch let denied as AccessDenied {
            return .failure(AWSError(denied, in: .query), to: request, in: .query)
        } catch {
            if let known = AWSError.common(error) { return .failure(known, to: request, in: .query) }
            report(error, request)
            return .failure(.internalFailure(in: .query), to: request, in: .query)
        }
    }

    private func validate(_ document: JSONValue, _ operation: String) throws(AWSError) {
        do throws(AWSError) {
            try ShapeValidator.validate(document, operation: operation, table: shapes)
        } catch {
            // Query services leave out the suffix.
            throw AWSError(error.code == "ValidationException" ? "ValidationError" : error.code, error.message)
        }
    }

    private func answer(_ operation: String, _ result: JSONValue, _ request: ServiceRequest) -> ServiceResponse {
        var xml = XMLWriter()
        xml.element("\(operation)Response", namespace: namespace) { xml in
            xml.element("\(operation)Result") { Self.write(result, into: &$0) }
            xml.element("ResponseMetadata") { $0.element("RequestId", request.requestID) }
        }
        var response = ServiceResponse.text(status: 200, contentType: "text/xml", xml.document)
        response.setHeader("x-amzn-RequestId", request.requestID)
        return response
    }

    private static func tree(_ output: some Encodable) throws -> JSONValue {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(AWSTime.iso8601(date, milliseconds: false))
        }
        return try AWSJSON.decode(JSONValue.self, from: Array(try encoder.encode(output)))
    }

    private static func write(_ value: JSONValue, into xml: inout XMLWriter) {
        guard case .object(let members) = value else { return }
        for (name, member) in members.sorted(by: { $0.key < $1.key }) {
            switch member {
            // Of secrets there are none: the encoder above refuses them.
            case .null, .secret: break
            case .bool(let flag): xml.element(name, String(flag))
            case .integer(let integer): xml.element(name, String(integer))
            case .number(let number): xml.element(name, String(number))
            case .string(let text): xml.element(name, text)
            case .object: xml.element(name) { write(member, into: &$0) }
            case .array(let elements):
                xml.element(name) { xml in
                    for element in elements { write(.object(["member": element]), into: &xml) }
                }
            }
        }
    }
}
