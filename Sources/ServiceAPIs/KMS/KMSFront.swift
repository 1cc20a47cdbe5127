public import AWSProtocol
public import AccessControl
import Foundation
import HTTPTypes
public import KeyHierarchy

/// AWS KMS (2014-11-01): all 54 operations answer. JSON 1.1, `X-Amz-Target: TrentService.…`.
public struct KMSFront: ServiceFront {
    private let table: JSONOperationTable

    /// Makes the front.
    /// - Parameters:
    ///   - keys: the hierarchy that the API is a view of.
    ///   - access: the accounts' own permissions.
    ///   - report: told of faults of ours.
    public init(
        keys: KeyHierarchy, access: AccessControl,
        report: @escaping @Sendable (any Error, ServiceRequest) -> Void = { _, _ in }
    ) {
        var table = JSONOperationTable(shapes: KMSShapes.table, mapError: Self.awsError, report: report)
        let operations = KMSOperations(keys: keys, authorizer: KMSAuthorizer(keys: keys, access: access))
        operations.register(in: &table)
        self.table = table
    }

    /// Answers one authenticated request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        do {
            let bytes = try await request.body.collect(upTo: JSONOperationTable.bodyBytesMax)
            try JSONScanner.check(bytes)
            var checked = request
            checked.body = RequestBody(bytes: bytes)
            return await table.respond(to: checked)
        } catch JSONScanner.Flaw.tooDeep {
            return .failure(
                AWSError("SerializationException", "The request is nested deeper than \(JSONScanner.depthMax) levels."),
                to: request, in: .json)
        } catch JSONScanner.Flaw.duplicateMember(let name) {
            return .failure(
                AWSError("SerializationException", "The request names the member '\(name.prefix(128))' twice."),
                to: request,
                in: .json)
        } catch {
            return .failure(
                error as? AWSError ?? AWSError("SerializationException", "The request's body could not be read."),
                to: request, in: .json)
        }
    }

    /// The names of the operations that have an implementation.
    var supported: Set<String> { table.supported }

    private static func awsError(_ error: any Error) -> AWSError? {
        switch error {
        case let error as KeyError: AWSError(error.code.rawValue, error.message)
        case is KeyFormatError:
            AWSError("KMSInternalException", "A stored key could not be opened.", httpStatus: 500)
        default: nil
        }
    }
}
