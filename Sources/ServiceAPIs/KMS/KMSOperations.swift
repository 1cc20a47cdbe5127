import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import KeyHierarchy

/// The operations of the API: decode → find the key → authorise → call the hierarchy → encode.
///
/// The order of checks is fixed: shape, key, authorisation, usage and spec, state, quotas, DryRun, cryptography.
struct KMSOperations: Sendable {
    let keys: KeyHierarchy
    let authorizer: KMSAuthorizer

    typealias Shapes = KMSShapes

    /// A key as a request named it.
    struct Located: Sendable {
        let key: KMSKey
        let alias: String?
    }

    /// Finds the key a request names. Foreign accounts learn nothing about what does not exist.
    func locate(_ id: String, _ call: KMSCall) async throws -> Located {
        let identifier = try KeyIdentifier(parsing: id, in: call.scope)
        guard identifier.scope.region == call.region else {
            throw KeyError(.notFound, "Invalid arn \(identifier.scope.region)")
        }
        do {
            if identifier.scope.account != call.principal.account, case .alias(let name) = identifier.resource {
                // Asking must not make an AWS-managed key in somebody else's account.
                guard let alias = try await keys.alias(identifier.scope, name) else {
                    throw KeyError(.notFound, "Alias \(id) is not found.")
                }
                return Located(key: try await keys.key(identifier.scope, alias.targetKeyID), alias: name)
            }
            if case .key(let keyID) = identifier.resource {
                return Located(key: try await keys.key(identifier.scope, keyID), alias: nil)
            }
            let reference = try await keys.resolveKey(id, in: call.scope)
            return Located(key: try await keys.key(reference.scope, reference.keyID), alias: reference.aliasName)
        } catch let error as KeyError
            where error.code == .notFound && identifier.scope.account != call.principal.account
        {
            throw KMSAuthorizer.foreignRefusal(call.principal)
        }
    }

    /// Finds a key of the caller's own account; aliases are not accepted where `aliases` is false.
    func locateOwn(_ id: String, _ call: KMSCall, aliases: Bool = false) async throws -> KMSKey {
        let identifier = try KeyIdentifier(parsing: id, in: call.scope)
        guard identifier.scope.account == call.principal.account else {
            throw KeyError(.accessDenied, "The operation cannot be performed on a key of another account: \(id).")
        }
        if !aliases, case .alias = identifier.resource {
            throw KeyError(.notFound, "Invalid keyId \(id): the operation takes a key ID or key ARN, not an alias.")
        }
        return try await locate(id, call).key
    }

    /// Finds a key and authorises in one step: most operations on keys of the own account.
    func own(
        _ id: String, _ request: ServiceRequest, _ name: String, conditions: [String: [String]] = [:]
    ) async throws -> KMSKey {
        let call = try KMSCall(request)
        let key = try await locateOwn(id, call)
        try await authorizer.authorize(call, KMSAction(name, conditions: conditions), on: key)
        return key
    }

    /// Finds and authorises a key for an operation that tenants may not do to AWS-managed keys.
    func ownCustomer(
        _ id: String, _ request: ServiceRequest, _ name: String, conditions: [String: [String]] = [:]
    ) async throws -> KMSKey {
        let key = try await own(id, request, name, conditions: conditions)
        guard key.manager == "CUSTOMER" else {
            throw KeyError(.accessDenied, "\(key.arn) is managed by AWS; \(name) is for customer managed keys.")
        }
        return key
    }

    /// Finds and authorises a key for a cryptographic operation.
    func use(
        _ id: String, _ request: ServiceRequest, _ action: KMSAction, tokens: [String]?
    ) async throws -> KMSKey {
        let call = try KMSCall(request)
        let located = try await locate(id, call)
        var action = action
        action.alias = located.alias
        action.grantOperation = action.grantOperation ?? action.name
        try checkTokens(tokens)
        try await authorizer.authorize(call, action, on: located.key)
        return located.key
    }

    /// Tokens name grants that are in force already; here they only have to be genuine.
    func checkTokens(_ tokens: [String]?) throws {
        guard let tokens else { return }
        guard tokens.count <= KMSLimits.grantTokens else {
            throw KeyError(.validation, "A request takes at most \(KMSLimits.grantTokens) grant tokens.")
        }
        for token in tokens { _ = try keys.grantID(ofToken: token) }
    }

    /// The end of a request that only asked whether it would succeed.
    func stopIfDry(_ dryRun: Bool?) throws(KeyError) {
        if dryRun == true {
            throw KeyError(.dryRun, "The request would have succeeded, but the DryRun option is set.")
        }
    }

    func refuse(_ recipient: Shapes.RecipientInfo?) throws(KeyError) {
        if recipient != nil {
            throw KeyError(.unsupported, "Recipient attestation documents are not supported.")
        }
    }

    /// Notes a successful use and passes the answer on.
    func used<T>(_ key: KMSKey, _ operation: String, _ request: ServiceRequest, _ answer: T) async throws -> T {
        try await used(key.arn, operation, request, answer)
    }

    /// The same for a key whose ARN is at hand.
    func used<T>(_ keyARN: String, _ operation: String, _ request: ServiceRequest, _ answer: T) async throws -> T {
        try await keys.noteUse(keyARN, operation: operation, requestID: request.requestID)
        return answer
    }

    /// One page and the marker of the next.
    func page<Item>(
        _ items: [Item], limit: Int, _ operation: String, by name: (Item) -> String
    ) throws -> (items: [Item], marker: String?) {
        guard items.count > limit else { return (items, nil) }
        let page = Array(items.prefix(limit))
        return (page, try page.last.map { try keys.marker(name($0), for: operation) })
    }
}

extension Int64 {
    var date: Date { Date(timeIntervalSince1970: Double(self) / 1000) }
}

extension KMSOperations {
    /// The metadata document of a key.
    static func metadata(_ key: KMSKey) -> Shapes.KeyMetadata {
        var result = Shapes.KeyMetadata()
        result.awsAccountId = key.scope.account
        result.keyId = key.keyID
        result.arn = key.arn
        result.creationDate = key.createdAt.date
        result.enabled = key.state == .enabled
        result.description = key.description
        result.keyUsage = key.usage
        result.keyState = key.state.rawValue
        result.origin = key.origin
        result.keyManager = key.manager
        result.customerMasterKeySpec = key.spec
        result.keySpec = key.spec
        result.encryptionAlgorithms = KeySpecs.encryptionAlgorithms(key.spec, key.usage)
        result.signingAlgorithms = KeySpecs.signingAlgorithms(key.spec, key.usage)
        result.keyAgreementAlgorithms = KeySpecs.agreementAlgorithms(key.usage)
        result.macAlgorithms = KeySpecs.macAlgorithms(key.spec)
        result.multiRegion = key.isMultiRegion
        if key.state == .pendingDeletion { result.deletionDate = key.deletionAt?.date }
        if key.state == .pendingReplicaDeletion { result.pendingDeletionWindowInDays = key.pendingWindowDays }
        if let material = key.current {
            if key.spec == "SYMMETRIC_DEFAULT" { result.currentKeyMaterialId = material.materialID }
            if material.importState == "IMPORTED" {
                result.expirationModel = material.expirationModel
                result.validTo = material.validTo?.date
            }
        }
        if key.isMultiRegion { result.multiRegionConfiguration = multiRegion(key) }
        return result
    }

    private static func multiRegion(_ key: KMSKey) -> Shapes.MultiRegionConfiguration {
        func entry(_ region: String) -> Shapes.MultiRegionKey {
            let scope = AccountRegion(account: key.scope.account, region: region)
            return .init(arn: scope.kmsARN("key/\(key.keyID)"), region: region)
        }
        return .init(
            multiRegionKeyType: key.isPrimaryOrSingle ? "PRIMARY" : "REPLICA",
            primaryKey: entry(key.primaryRegion ?? key.scope.region), replicaKeys: key.replicaRegions.map(entry))
    }
}
