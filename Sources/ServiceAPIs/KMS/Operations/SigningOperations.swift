import AWSProtocol
import Cryptography
import Foundation
import KeyHierarchy

/// Signatures, MACs, public keys, key agreement.
extension KMSOperations {
    func sign(_ input: Shapes.SignInput, _ request: ServiceRequest) async throws -> Shapes.SignOutput {
        let type = input.messageType ?? "RAW"
        let key = try await use(
            input.keyId, request, signing("Sign", input.signingAlgorithm, type), tokens: input.grantTokens)
        _ = try KeyHierarchy.checkSigning(key, input.signingAlgorithm, messageType: type, for: "Sign")
        try stopIfDry(input.dryRun)
        let signature = try await keys.sign(
            input.message.bytes, key, algorithm: input.signingAlgorithm, messageType: type)
        return try await used(
            key, "Sign", request,
            .init(keyId: key.arn, signature: Data(signature), signingAlgorithm: input.signingAlgorithm))
    }

    private func signing(_ name: String, _ algorithm: String, _ type: String) -> KMSAction {
        KMSAction(name, conditions: ["kms:SigningAlgorithm": [algorithm], "kms:MessageType": [type]])
    }

    func verify(_ input: Shapes.VerifyInput, _ request: ServiceRequest) async throws -> Shapes.VerifyOutput {
        let type = input.messageType ?? "RAW"
        let key = try await use(
            input.keyId, request, signing("Verify", input.signingAlgorithm, type), tokens: input.grantTokens)
        _ = try KeyHierarchy.checkSigning(key, input.signingAlgorithm, messageType: type, for: "Verify")
        try stopIfDry(input.dryRun)
        try await keys.verify(
            Array(input.signature), of: input.message.bytes, key, algorithm: input.signingAlgorithm, messageType: type)
        return try await used(
            key, "Verify", request,
            .init(keyId: key.arn, signatureValid: true, signingAlgorithm: input.signingAlgorithm))
    }

    func generateMac(_ input: Shapes.GenerateMacInput, _ request: ServiceRequest) async throws
        -> Shapes.GenerateMacOutput
    {
        let key = try await use(
            input.keyId, request, KMSAction("GenerateMac", conditions: ["kms:MacAlgorithm": [input.macAlgorithm]]),
            tokens: input.grantTokens)
        let code = try await keys.generateMac(input.message.bytes, key, algorithm: input.macAlgorithm)
        try stopIfDry(input.dryRun)
        return try await used(
            key, "GenerateMac", request, .init(mac: Data(code), macAlgorithm: input.macAlgorithm, keyId: key.arn))
    }

    func verifyMac(_ input: Shapes.VerifyMacInput, _ request: ServiceRequest) async throws -> Shapes.VerifyMacOutput {
        let key = try await use(
            input.keyId, request, KMSAction("VerifyMac", conditions: ["kms:MacAlgorithm": [input.macAlgorithm]]),
            tokens: input.grantTokens)
        let code = try await keys.generateMac(
            input.message.bytes, key, algorithm: input.macAlgorithm, for: "VerifyMac")
        try stopIfDry(input.dryRun)
        guard constantTimeEqual(code, Array(input.mac)) else {
            throw KeyError(.invalidMac, "The HMAC is not valid for this message and key.")
        }
        return try await used(
            key, "VerifyMac", request, .init(keyId: key.arn, macValid: true, macAlgorithm: input.macAlgorithm))
    }

    func getPublicKey(_ input: Shapes.GetPublicKeyInput, _ request: ServiceRequest) async throws
        -> Shapes.GetPublicKeyOutput
    {
        let key = try await use(input.keyId, request, KMSAction("GetPublicKey"), tokens: input.grantTokens)
        let encoded = try await keys.publicKey(key)
        return .init(
            keyId: key.arn, publicKey: Data(encoded), customerMasterKeySpec: key.spec, keySpec: key.spec,
            keyUsage: key.usage, encryptionAlgorithms: KeySpecs.encryptionAlgorithms(key.spec, key.usage),
            signingAlgorithms: KeySpecs.signingAlgorithms(key.spec, key.usage),
            keyAgreementAlgorithms: KeySpecs.agreementAlgorithms(key.usage))
    }

    func deriveSharedSecret(
        _ input: Shapes.DeriveSharedSecretInput, _ request: ServiceRequest
    ) async throws -> Shapes.DeriveSharedSecretOutput {
        let key = try await use(
            input.keyId, request,
            KMSAction("DeriveSharedSecret", conditions: ["kms:KeyAgreementAlgorithm": [input.keyAgreementAlgorithm]]),
            tokens: input.grantTokens)
        try refuse(input.recipient)
        try KeyHierarchy.require(usage: "KEY_AGREEMENT", key, for: "DeriveSharedSecret")
        try KeyStateRules.check(.cryptography, key)
        try stopIfDry(input.dryRun)
        let secret = try await keys.deriveSharedSecret(key, peer: Array(input.publicKey))
        return try await used(
            key, "DeriveSharedSecret", request,
            .init(
                keyId: key.arn, sharedSecret: SecretBlob(secret), keyAgreementAlgorithm: input.keyAgreementAlgorithm,
                keyOrigin: key.origin))
    }
}
