public import AWSProtocol
public import AccessControl
public import KeyHierarchy

/// Asks, for other services, what their callers may do with keys: the same decision as for a request of the callers' own,
/// with the condition keys that say that it comes through a service.
public struct KMSPermissions: Sendable {
    private let keys: KeyHierarchy
    private let authorizer: KMSAuthorizer

    /// Permissions in a hierarchy.
    public init(keys: KeyHierarchy, access: AccessControl) {
        self.keys = keys
        authorizer = KMSAuthorizer(keys: keys, access: access)
    }

    /// The same for what a service does by itself on behalf of a principal, such as storing what a job made.
    public func require(
        _ operation: String, on keyARN: String, context: [String: String] = [:], of principal: Principal,
        via service: String
    ) async throws {
        let request = ServiceRequest(method: "POST", path: "/", isSecure: true)
        try await require(operation, on: keyARN, context: context, principal: principal, via: service, request)
    }

    /// Throws `KeyError` with `accessDenied` unless the principal may do this to the key.
    /// - Parameters:
    ///   - operation: the action without `kms:`; grants that allow it count.
    ///   - service: the service that acts for the caller; becomes `kms:ViaService`.
    ///   - request: where and when the caller's request came from.
    public func require(
        _ operation: String, on keyARN: String, context: [String: String], conditions: [String: [String]] = [:],
        principal: Principal, via service: String, _ request: ServiceRequest
    ) async throws {
        let identifier = try KeyIdentifier(parsing: keyARN, in: AccountRegion(account: "", region: ""))
        guard case .key(let keyID) = identifier.resource else {
            throw KeyError(.invalidARN, "\(keyARN) is not the ARN of a key.")
        }
        let region = identifier.scope.region
        let key = try await keys.key(identifier.scope, keyID)
        var conditions = conditions
        conditions["kms:ViaService"] = ["\(service).\(region).amazonaws.com"]
        let grants: Set = ["Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo", "CreateGrant"]
        try await authorizer.authorize(
            KMSCall(principal: principal, region: region, request),
            KMSAction(
                operation, grant: grants.contains(operation) ? operation : nil, context: context,
                conditions: conditions),
            on: key)
    }
}
