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
        // Decoders accept repeated members in ways that differ, and an encryption context must mean one thing only.
        var table = JSONOperationTable(
            shapes: KMSShapes.table, depthMax: 16, allowsRepeatedMembers: false, mapError: Self.awsError,
            report: report)
        let operations = KMSOperations(keys: keys, authorizer: KMSAuthorizer(keys: keys, access: access))
        operations.register(in: &table)
        self.table = table
    }

    /// Answers one authenticated request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse { await table.respond(to: request) }

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
