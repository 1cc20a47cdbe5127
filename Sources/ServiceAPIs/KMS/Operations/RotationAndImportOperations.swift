import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import KeyHierarchy

/// Rotation, imported material, multi-Region keys.
extension KMSOperations {
    func enableKeyRotation(_ input: Shapes.EnableKeyRotationInput, _ request: ServiceRequest) async throws {
        let days = input.rotationPeriodInDays
        let key = try await ownCustomer(
            input.keyId, request, "EnableKeyRotation", conditions: ["kms:RotationPeriodInDays": ["\(days ?? 365)"]])
        guard days.map({ (90...2560).contains($0) }) ?? true else {
            throw KeyError(.validation, "RotationPeriodInDays must be between 90 and 2560.")
        }
        try await keys.setRotation(true, periodDays: days, key.scope, key.keyID)
    }

    func disableKeyRotation(_ input: Shapes.DisableKeyRotationInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(input.keyId, request, "DisableKeyRotation")
        try await keys.setRotation(false, periodDays: nil, key.scope, key.keyID)
    }

    private func checkRotates(_ key: KMSKey) throws(KeyError) {
        guard key.spec == "SYMMETRIC_DEFAULT" else {
            throw KeyError(.unsupported, "\(key.arn) is a \(key.spec) key; only symmetric encryption keys rotate.")
        }
        try KeyStateRules.check(.rotationStatus, key)
    }

    func getKeyRotationStatus(
        _ input: Shapes.GetKeyRotationStatusInput, _ request: ServiceRequest
    ) async throws -> Shapes.GetKeyRotationStatusOutput {
        let call = try KMSCall(request)
        let key = try await locate(input.keyId, call).key
        try await authorizer.authorize(call, KMSAction("GetKeyRotationStatus"), on: key)
        try checkRotates(key)
        // Rotation of a key that waits for deletion is suspended and reported as off.
        let enabled = key.rotationEnabled && !key.state.isPendingDeletion
        return .init(
            keyRotationEnabled: enabled, keyId: key.arn, rotationPeriodInDays: enabled ? key.rotationPeriodDays : nil,
            nextRotationDate: enabled ? key.nextRotationAt?.date : nil)
    }

    func listKeyRotations(
        _ input: Shapes.ListKeyRotationsInput, _ request: ServiceRequest
    ) async throws -> Shapes.ListKeyRotationsOutput {
        let key = try await own(input.keyId, request, "ListKeyRotations")
        try checkRotates(key)
        let after = Int(try keys.open(marker: input.marker, for: "ListKeyRotations")) ?? 0
        let all = input.includeKeyMaterial == "ALL_KEY_MATERIAL"
        let rest = key.materials.filter { Int($0.version) > after && (all || $0.rotatedAt != nil) }
        let (page, marker) = try page(rest, limit: input.limit ?? 100, "ListKeyRotations") { "\($0.version)" }
        let entries = page.map { material in
            Shapes.RotationsListEntry(
                keyId: key.arn, keyMaterialId: material.materialID, keyMaterialDescription: material.description,
                importState: material.importState, keyMaterialState: material.state,
                expirationModel: material.expirationModel, validTo: material.validTo?.date,
                rotationDate: material.rotatedAt?.date, rotationType: material.rotationType)
        }
        return .init(rotations: entries, nextMarker: marker, truncated: marker != nil)
    }

    func rotateKeyOnDemand(
        _ input: Shapes.RotateKeyOnDemandInput, _ request: ServiceRequest
    ) async throws -> Shapes.RotateKeyOnDemandOutput {
        let key = try await ownCustomer(input.keyId, request, "RotateKeyOnDemand")
        try await keys.rotateOnDemand(key.scope, key.keyID)
        return .init(keyId: key.arn)
    }

    func getParametersForImport(
        _ input: Shapes.GetParametersForImportInput, _ request: ServiceRequest
    ) async throws -> Shapes.GetParametersForImportOutput {
        let key = try await ownCustomer(
            input.keyId, request, "GetParametersForImport",
            conditions: [
                "kms:WrappingAlgorithm": [input.wrappingAlgorithm], "kms:WrappingKeySpec": [input.wrappingKeySpec],
            ])
        let made = try await keys.importParameters(
            key, algorithm: input.wrappingAlgorithm, wrappingSpec: input.wrappingKeySpec)
        return .init(
            keyId: key.arn, importToken: Data(made.token),
            // No secret, but the model says that it is one.
            publicKey: SecretBlob(SecretBytes(copying: made.publicKey)), parametersValidTo: made.validTo)
    }

    func importKeyMaterial(
        _ input: Shapes.ImportKeyMaterialInput, _ request: ServiceRequest
    ) async throws -> Shapes.ImportKeyMaterialOutput {
        let model = input.expirationModel ?? "KEY_MATERIAL_EXPIRES"
        var conditions = ["kms:ExpirationModel": [model]]
        if let end = input.validTo { conditions["kms:ValidTo"] = ["\(end.timeIntervalSince1970)"] }
        let key = try await ownCustomer(input.keyId, request, "ImportKeyMaterial", conditions: conditions)
        if model == "KEY_MATERIAL_EXPIRES" {
            guard let end = input.validTo else {
                throw KeyError(
                    .validation, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
            }
            let seconds = end.timeIntervalSince(request.receivedAt)
            guard seconds > 0, seconds <= 365 * 86_400 else {
                throw KeyError(.validation, "ValidTo must lie in the future and within 365 days.")
            }
        } else if input.validTo != nil {
            throw KeyError(.validation, "ValidTo must be absent when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.")
        }
        let materialID = try await keys.importMaterial(
            MaterialImport(
                token: Array(input.importToken), encrypted: Array(input.encryptedKeyMaterial), validTo: input.validTo,
                expirationModel: model, isNew: input.importType == "NEW_KEY_MATERIAL",
                description: input.keyMaterialDescription, expectedMaterialID: input.keyMaterialId), key)
        return .init(keyId: key.arn, keyMaterialId: materialID)
    }

    func deleteImportedKeyMaterial(
        _ input: Shapes.DeleteImportedKeyMaterialInput, _ request: ServiceRequest
    ) async throws -> Shapes.DeleteImportedKeyMaterialOutput {
        let key = try await ownCustomer(input.keyId, request, "DeleteImportedKeyMaterial")
        let removed = try await keys.deleteMaterial(key, materialID: input.keyMaterialId)
        return .init(keyId: key.arn, keyMaterialId: removed)
    }

    func replicateKey(_ input: Shapes.ReplicateKeyInput, _ request: ServiceRequest) async throws
        -> Shapes.ReplicateKeyOutput
    {
        let key = try await ownCustomer(
            input.keyId, request, "ReplicateKey", conditions: ["kms:ReplicaRegion": [input.replicaRegion]])
        let call = try KMSCall(request)
        let tags = try Self.tags(input.tags)
        let policy: String
        if let given = input.policy {
            _ = try KeyPolicy(parsing: given)
            if input.bypassPolicyLockoutSafetyCheck != true { try authorizer.checkLockout(call, given, key) }
            policy = given
        } else {
            policy = KeyPolicy.standard(account: key.scope.account, partition: key.scope.partition)
        }
        let replica = try await keys.replicate(
            key, to: input.replicaRegion, policy: policy, description: input.description ?? "", tags: tags)
        return .init(
            replicaKeyMetadata: Self.metadata(replica), replicaPolicy: policy,
            replicaTags: tags.isEmpty
                ? nil : tags.sorted { $0.key < $1.key }.map { .init(tagKey: $0.key, tagValue: $0.value) })
    }

    func updatePrimaryRegion(_ input: Shapes.UpdatePrimaryRegionInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(
            input.keyId, request, "UpdatePrimaryRegion", conditions: ["kms:PrimaryRegion": [input.primaryRegion]])
        try await keys.updatePrimaryRegion(key, to: input.primaryRegion)
    }
}
