public import AWSProtocol
public import AccessControl
import Foundation
import HTTPTypes

/// The part of AWS STS (2011-06-15) that has to do with who one is: `GetCallerIdentity`, `GetSessionToken` and
/// `GetAccessKeyInfo`. Speaks Query, and JSON to clients that send it.
public struct STSFront: ServiceFront {
    private let query: QueryOperationTable
    private let json: JSONOperationTable

    /// Makes the front.
    /// - Parameters:
    ///   - access: knows keys and makes sessions.
    ///   - report: told of faults of ours.
    public init(
        access: AccessControl, report: @escaping @Sendable (any Error, ServiceRequest) -> Void = { _, _ in }
    ) {
        let operations = STSOperations(access: access)
        var query = QueryOperationTable(
            shapes: STSShapes.table, namespace: "https://sts.amazonaws.com/doc/2011-06-15/", version: "2011-06-15",
            report: report)
        query.on("GetCallerIdentity", operations.getCallerIdentity)
        query.on("GetSessionToken", operations.getSessionToken)
        query.on("GetAccessKeyInfo", operations.getAccessKeyInfo)
        self.query = query
        var json = JSONOperationTable(shapes: STSShapes.table, report: report)
        json.on("GetCallerIdentity", operations.getCallerIdentity)
        json.on("GetSessionToken", operations.getSessionToken)
        json.on("GetAccessKeyInfo", operations.getAccessKeyInfo)
        self.json = json
    }

    /// Answers a request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        let isJSON = request.header("x-amz-target") != nil
        return await isJSON ? json.respond(to: request) : query.respond(to: request)
    }
}

/// What the operations do.
struct STSOperations: Sendable {
    /// A root identity's sessions hold for an hour at most, whatever it asks for.
    static let rootSessionSecondsMax = 3600

    let access: AccessControl

    func getCallerIdentity(
        _: STSShapes.GetCallerIdentityInput, _ request: ServiceRequest
    ) async throws -> STSShapes.GetCallerIdentityOutput {
        let principal = try request.requirePrincipal()
        return .init(userId: principal.userID, account: principal.account, arn: principal.arn)
    }

    func getSessionToken(
        _ input: STSShapes.GetSessionTokenInput, _ request: ServiceRequest
    ) async throws -> STSShapes.GetSessionTokenOutput {
        let principal = try request.requirePrincipal()
        guard !principal.accessKeyID.hasPrefix("ASIA") else {
            throw AWSError("AccessDenied", "Cannot call GetSessionToken with session credentials")
        }
        let seconds = min(input.durationSeconds ?? Self.rootSessionSecondsMax, Self.rootSessionSecondsMax)
        let session = try await access.issueSession(for: principal, seconds: seconds)
        return .init(
            credentials: .init(
                accessKeyId: session.principal.accessKeyID, secretAccessKey: session.secretText,
                sessionToken: session.sessionToken, expiration: session.expiration))
    }

    func getAccessKeyInfo(
        _ input: STSShapes.GetAccessKeyInfoInput, _ request: ServiceRequest
    ) async throws -> STSShapes.GetAccessKeyInfoOutput {
        _ = try request.requirePrincipal()
        guard let credential = try await access.credential(input.accessKeyId) else {
            throw AWSError("ValidationError", "There is no lasting access key with the id '\(input.accessKeyId)' here.")
        }
        return .init(account: credential.principal.account)
    }
}
