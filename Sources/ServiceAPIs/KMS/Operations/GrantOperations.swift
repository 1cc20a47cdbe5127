import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import KeyHierarchy

/// Grants: delegated, narrow, revocable at once.
extension KMSOperations {
    func createGrant(_ input: Shapes.CreateGrantInput, _ request: ServiceRequest) async throws
        -> Shapes.CreateGrantOutput
    {
        let call = try KMSCall(request)
        let located = try await locate(input.keyId, call)
        let key = located.key
        try checkTokens(input.grantTokens)
        let basis = try await authorizer.authorize(
            call,
            KMSAction("CreateGrant", grant: "CreateGrant", alias: located.alias, conditions: Self.conditions(input)),
            on: key)
        let draft = try Self.draft(input, key, call)
        if case .grants(let parents) = basis, !parents.contains(where: { draft.isNarrower(than: $0) }) {
            throw KeyError(
                .accessDenied, "A grant that allows CreateGrant can only make grants of the same or fewer permissions.")
        }
        let excess = Set(draft.operations).subtracting(KeySpecs.grantOperations(key.spec, key.usage))
        guard excess.isEmpty else {
            throw KeyError(
                .validation,
                "A grant on a \(key.spec) \(key.usage) key cannot allow \(excess.sorted().joined(separator: ", ")).")
        }
        try KeyStateRules.check(.createGrant, key)
        try stopIfDry(input.dryRun)
        let (grant, token) = try await keys.createGrant(draft)
        return .init(grantToken: token, grantId: grant.grantID)
    }

    private static func conditions(_ input: Shapes.CreateGrantInput) -> [String: [String]] {
        var conditions: [String: [String]] = [
            "kms:GrantOperations": input.operations, "kms:GranteePrincipal": [input.granteePrincipal],
            "kms:GrantIsForAWSResource": ["false"],
        ]
        if let retiring = input.retiringPrincipal { conditions["kms:RetiringPrincipal"] = [retiring] }
        if input.constraints?.encryptionContextEquals != nil {
            conditions["kms:GrantConstraintType"] = ["EncryptionContextEquals"]
        } else if input.constraints?.encryptionContextSubset != nil {
            conditions["kms:GrantConstraintType"] = ["EncryptionContextSubset"]
        }
        return conditions
    }

    private static func draft(_ input: Shapes.CreateGrantInput, _ key: KMSKey, _ call: KMSCall) throws(KeyError)
        -> KMSGrant
    {
        for principal in [input.granteePrincipal, input.retiringPrincipal].compactMap({ $0 }) {
            let parts = principal.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count >= 6, parts[0] == "arn", parts[2] == "iam" || parts[2] == "sts" else {
                throw KeyError(.invalidARN, "ARN does not refer to a valid principal: \(principal)")
            }
        }
        guard !input.operations.isEmpty else { throw KeyError(.validation, "Operations must not be empty.") }
        for pairs in [input.constraints?.encryptionContextEquals, input.constraints?.encryptionContextSubset] {
            guard let pairs else { continue }
            guard key.spec == "SYMMETRIC_DEFAULT" else {
                throw KeyError(.validation, "Grant constraints are for symmetric encryption keys only.")
            }
            guard pairs.count <= 8, pairs.allSatisfy({ $0.key.utf8.count + $0.value.utf8.count <= 384 }) else {
                throw KeyError(.validation, "A grant constraint has at most 8 pairs of at most 384 characters.")
            }
        }
        return KMSGrant(
            grantID: Hex.encode(SecureRandom.bytes(32)), scope: key.scope, keyID: key.keyID,
            granteePrincipal: input.granteePrincipal, retiringPrincipal: input.retiringPrincipal,
            issuingAccount: "arn:\(key.scope.partition):iam::\(call.principal.account):root",
            operations: Array(Set(input.operations)).sorted(),
            contextSubset: input.constraints?.encryptionContextSubset,
            contextEquals: input.constraints?.encryptionContextEquals, name: input.name,
            createdAt: Int64(call.time.timeIntervalSince1970 * 1000))
    }

    private static func entry(_ grant: KMSGrant) -> Shapes.GrantListEntry {
        var constraints: Shapes.GrantConstraints?
        if grant.contextSubset != nil || grant.contextEquals != nil {
            constraints = .init(
                encryptionContextSubset: grant.contextSubset, encryptionContextEquals: grant.contextEquals)
        }
        return .init(
            keyId: grant.keyARN, grantId: grant.grantID, name: grant.name, creationDate: grant.createdAt.date,
            granteePrincipal: grant.granteePrincipal, retiringPrincipal: grant.retiringPrincipal,
            issuingAccount: grant.issuingAccount, operations: grant.operations, constraints: constraints)
    }

    func listGrants(_ input: Shapes.ListGrantsInput, _ request: ServiceRequest) async throws -> Shapes.ListGrantsOutput
    {
        let call = try KMSCall(request)
        let key = try await locate(input.keyId, call).key
        try await authorizer.authorize(call, KMSAction("ListGrants"), on: key)
        let limit = input.limit ?? 50
        let after = try keys.open(marker: input.marker, for: "ListGrants")
        let found = try await keys.listGrants(key.scope, key.keyID, after: after, limit: limit + 1) { grant in
            (input.grantId == nil || grant.grantID == input.grantId)
                && (input.granteePrincipal == nil || grant.granteePrincipal == input.granteePrincipal)
        }
        let (page, marker) = try page(found, limit: limit, "ListGrants") { $0.grantID }
        return .init(grants: page.map(Self.entry), nextMarker: marker, truncated: marker != nil)
    }

    func listRetirableGrants(
        _ input: Shapes.ListRetirableGrantsInput, _ request: ServiceRequest
    ) async throws -> Shapes.ListGrantsOutput {
        let call = try KMSCall(request)
        try authorizer.authorize(call, "ListRetirableGrants")
        let parts = input.retiringPrincipal.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 6, parts[4] == call.principal.account else {
            throw KeyError(.accessDenied, "The retiring principal must belong to your account.")
        }
        let limit = input.limit ?? 50
        let after = try keys.open(marker: input.marker, for: "ListRetirableGrants")
        let found = try await keys.listRetirableGrants(
            by: input.retiringPrincipal, account: call.principal.account, region: call.region, after: after,
            limit: limit + 1)
        let (page, marker) = try page(found, limit: limit, "ListRetirableGrants") { $0.grantID }
        return .init(grants: page.map(Self.entry), nextMarker: marker, truncated: marker != nil)
    }

    func retireGrant(_ input: Shapes.RetireGrantInput, _ request: ServiceRequest) async throws {
        let call = try KMSCall(request)
        let grant: KMSGrant?
        if let token = input.grantToken {
            grant = try await keys.grant(anywhere: try keys.grantID(ofToken: token))
        } else if let keyID = input.keyId, let grantID = input.grantId {
            let identifier = try KeyIdentifier(parsing: keyID, in: call.scope)
            grant = try await keys.grant(identifier.scope, grantID: grantID)
        } else {
            throw KeyError(.validation, "RetireGrant takes a GrantToken, or KeyId and GrantId.")
        }
        guard let grant else { throw KeyError(.notFound, "Grant is not found.") }
        let mayRetire =
            Self.isPrincipal(grant.retiringPrincipal, call, grant.keyARN)
            || (Self.isPrincipal(grant.granteePrincipal, call, grant.keyARN)
                && grant.operations.contains("RetireGrant"))
            || (grant.issuingAccount.contains("::\(call.principal.account):") && call.principal.grant == nil)
        guard mayRetire else {
            throw KeyError(
                .accessDenied,
                "User: \(call.principal.arn) is not authorized to perform: kms:RetireGrant on resource: \(grant.keyARN)"
            )
        }
        try stopIfDry(input.dryRun)
        try await keys.deleteGrant(grant.scope, grantID: grant.grantID)
    }

    private static func isPrincipal(_ arn: String?, _ call: KMSCall, _ keyARN: String) -> Bool {
        guard let arn else { return false }
        if (arn == call.principal.arn && !arn.hasSuffix(":root")) || KMSAuthorizer.names(arn, call.principal) {
            return true
        }
        // An account's right is for its sessions only within what they were limited to.
        return arn.hasSuffix(":root") && arn.contains("::\(call.principal.account):")
            && KMSAuthorizer.isWithinSession(call.principal, "kms:RetireGrant", keyARN)
    }

    func revokeGrant(_ input: Shapes.RevokeGrantInput, _ request: ServiceRequest) async throws {
        let call = try KMSCall(request)
        let key = try await locate(input.keyId, call).key
        try await authorizer.authorize(call, KMSAction("RevokeGrant"), on: key)
        guard let grant = try await keys.grant(key.scope, grantID: input.grantId), grant.keyID == key.keyID else {
            throw KeyError(.notFound, "Grant \(input.grantId) is not found.")
        }
        try stopIfDry(input.dryRun)
        try await keys.deleteGrant(key.scope, grantID: grant.grantID)
    }
}

extension KMSGrant {
    /// Whether this grant gives nothing that `parent` does not give.
    func isNarrower(than parent: KMSGrant) -> Bool {
        guard Set(operations).isSubset(of: parent.operations) else { return false }
        if let exact = parent.contextEquals { return contextEquals == exact }
        guard let subset = parent.contextSubset else { return true }
        let own = contextEquals ?? contextSubset ?? [:]
        return subset.allSatisfy { own[$0.key] == $0.value }
    }
}
