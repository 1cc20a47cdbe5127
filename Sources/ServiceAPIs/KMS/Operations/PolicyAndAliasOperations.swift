import AWSProtocol
import AccessControl
import Foundation
import KeyHierarchy

/// Key policies and aliases.
extension KMSOperations {
    private func checkPolicyName(_ name: String?) throws(KeyError) {
        guard name == nil || name == "default" else {
            throw KeyError(.notFound, "No such policy exists: the only policy of a key is called default.")
        }
    }

    func getKeyPolicy(_ input: Shapes.GetKeyPolicyInput, _ request: ServiceRequest) async throws
        -> Shapes.GetKeyPolicyOutput
    {
        let key = try await own(input.keyId, request, "GetKeyPolicy")
        try checkPolicyName(input.policyName)
        return .init(policy: key.policy, policyName: "default")
    }

    func putKeyPolicy(_ input: Shapes.PutKeyPolicyInput, _ request: ServiceRequest) async throws {
        let bypass = input.bypassPolicyLockoutSafetyCheck == true
        let key = try await ownCustomer(
            input.keyId, request, "PutKeyPolicy", conditions: ["kms:BypassPolicyLockoutSafetyCheck": ["\(bypass)"]])
        try checkPolicyName(input.policyName)
        _ = try KeyPolicy(parsing: input.policy)
        if !bypass { try authorizer.checkLockout(try KMSCall(request), input.policy, key) }
        try await keys.setPolicy(input.policy, key.scope, key.keyID)
    }

    func listKeyPolicies(
        _ input: Shapes.ListKeyPoliciesInput, _ request: ServiceRequest
    ) async throws -> Shapes.ListKeyPoliciesOutput {
        _ = try await own(input.keyId, request, "ListKeyPolicies")
        _ = try keys.open(marker: input.marker, for: "ListKeyPolicies")
        return .init(policyNames: ["default"], truncated: false)
    }

    /// The key that an alias is to refer to.
    private func target(_ id: String, _ call: KMSCall) async throws -> KMSKey {
        if case .alias = try KeyIdentifier(parsing: id, in: call.scope).resource {
            throw KeyError(.validation, "Aliases must refer to keys. Not aliases")
        }
        return try await locateOwn(id, call)
    }

    func createAlias(_ input: Shapes.CreateAliasInput, _ request: ServiceRequest) async throws {
        let call = try KMSCall(request)
        try KeyHierarchy.checkAliasName(input.aliasName)
        let key = try await target(input.targetKeyId, call)
        try authorizer.authorize(call, "CreateAlias", resource: call.scope.kmsARN(input.aliasName))
        try await authorizer.authorize(call, KMSAction("CreateAlias", alias: input.aliasName), on: key)
        try await keys.createAlias(input.aliasName, target: key.keyID, in: call.scope)
    }

    func updateAlias(_ input: Shapes.UpdateAliasInput, _ request: ServiceRequest) async throws {
        let call = try KMSCall(request)
        try KeyHierarchy.checkAliasName(input.aliasName)
        let key = try await target(input.targetKeyId, call)
        try authorizer.authorize(call, "UpdateAlias", resource: call.scope.kmsARN(input.aliasName))
        if let alias = try await keys.alias(call.scope, input.aliasName) {
            let before = try await keys.key(call.scope, alias.targetKeyID)
            try await authorizer.authorize(call, KMSAction("UpdateAlias", alias: input.aliasName), on: before)
        }
        try await authorizer.authorize(call, KMSAction("UpdateAlias", alias: input.aliasName), on: key)
        try await keys.updateAlias(input.aliasName, target: key.keyID, in: call.scope)
    }

    func deleteAlias(_ input: Shapes.DeleteAliasInput, _ request: ServiceRequest) async throws {
        let call = try KMSCall(request)
        try KeyHierarchy.checkAliasPrefix(input.aliasName)
        guard !input.aliasName.hasPrefix("alias/aws/") else {
            throw KeyError(.validation, "Aliases that begin with alias/aws/ cannot be deleted.")
        }
        try authorizer.authorize(call, "DeleteAlias", resource: call.scope.kmsARN(input.aliasName))
        if let alias = try await keys.alias(call.scope, input.aliasName) {
            let key = try await keys.key(call.scope, alias.targetKeyID)
            try await authorizer.authorize(call, KMSAction("DeleteAlias", alias: input.aliasName), on: key)
        }
        try await keys.deleteAlias(input.aliasName, in: call.scope)
    }

    func listAliases(_ input: Shapes.ListAliasesInput, _ request: ServiceRequest) async throws
        -> Shapes.ListAliasesOutput
    {
        let call = try KMSCall(request)
        try authorizer.authorize(call, "ListAliases")
        var keyID: String?
        if let id = input.keyId { keyID = try await locateOwn(id, call).keyID }
        let limit = input.limit ?? 50
        let after = try keys.open(marker: input.marker, for: "ListAliases")
        let found = try await keys.listAliases(call.scope, of: keyID, after: after, limit: limit + 1)
        let (page, marker) = try page(found, limit: limit, "ListAliases") { $0.name }
        let entries = page.map { entry in
            Shapes.AliasListEntry(
                aliasName: entry.name, aliasArn: call.scope.kmsARN(entry.name), targetKeyId: entry.alias?.targetKeyID,
                creationDate: entry.alias?.createdAt.date, lastUpdatedDate: entry.alias?.updatedAt.date)
        }
        return .init(aliases: entries, nextMarker: marker, truncated: marker != nil)
    }
}
