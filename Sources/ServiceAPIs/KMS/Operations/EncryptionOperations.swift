import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import KeyHierarchy

/// Encrypt, Decrypt, ReEncrypt.
extension KMSOperations {
    func encrypt(_ input: Shapes.EncryptInput, _ request: ServiceRequest) async throws -> Shapes.EncryptOutput {
        let algorithm = input.encryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
        let key = try await use(
            input.keyId, request, action("Encrypt", algorithm, input.encryptionContext), tokens: input.grantTokens)
        try KeyHierarchy.checkEncryption(key, algorithm, input.encryptionContext, for: "Encrypt")
        try stopIfDry(input.dryRun)
        let blob = try await keys.encrypt(
            input.plaintext.bytes, key, algorithm: algorithm, context: input.encryptionContext)
        let arn = key.arn
        return try await used(
            arn, "Encrypt", request, .init(ciphertextBlob: Data(blob), keyId: arn, encryptionAlgorithm: algorithm))
    }

    private func action(_ name: String, _ algorithm: String, _ context: [String: String]?) -> KMSAction {
        KMSAction(
            name, context: algorithm == "SYMMETRIC_DEFAULT" ? context ?? [:] : nil,
            conditions: ["kms:EncryptionAlgorithm": [algorithm]])
    }

    /// The key that opens a ciphertext: the one named, or the one that a symmetric ciphertext names.
    private func opener(
        _ keyID: String?, _ blob: Data?, _ algorithm: String, _ request: ServiceRequest, _ action: KMSAction,
        tokens: [String]?, ignoringCiphertext: Bool
    ) async throws -> KMSKey {
        if let keyID { return try await use(keyID, request, action, tokens: tokens) }
        guard algorithm == "SYMMETRIC_DEFAULT", !ignoringCiphertext, let blob else {
            throw KeyError(.validation, "KeyId is required for this ciphertext.")
        }
        let call = try KMSCall(request)
        let blobKeyID = try keys.blobKeyID(Array(blob))
        guard let scope = try await keys.owner(ofKeyID: blobKeyID, near: call.scope) else {
            throw KeyError(
                .accessDenied,
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you "
                    + "are not allowed to access.")
        }
        return try await use(scope.kmsARN("key/\(blobKeyID)"), request, action, tokens: tokens)
    }

    private func open(
        _ blob: Data?, _ key: KMSKey, _ algorithm: String, _ context: [String: String]?
    ) async throws -> (plaintext: SecretBytes, materialID: String?) {
        guard let blob else { throw KeyError(.validation, "CiphertextBlob is required.") }
        if algorithm == "SYMMETRIC_DEFAULT" {
            let (plaintext, materialID) = try await keys.decryptSymmetric(Array(blob), key, context: context)
            return (plaintext, materialID)
        }
        return (try await keys.decryptRSA(Array(blob), key, algorithm: algorithm), nil)
    }

    private func ignoresCiphertext(_ dryRun: Bool?, _ modifiers: [String]?) throws(KeyError) -> Bool {
        guard let modifiers, !modifiers.isEmpty else { return false }
        guard dryRun == true else { throw KeyError(.validation, "DryRunModifiers need DryRun.") }
        return modifiers.contains("IGNORE_CIPHERTEXT")
    }

    func decrypt(_ input: Shapes.DecryptInput, _ request: ServiceRequest) async throws -> Shapes.DecryptOutput {
        let algorithm = input.encryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
        let ignoring = try ignoresCiphertext(input.dryRun, input.dryRunModifiers)
        let key = try await opener(
            input.keyId, input.ciphertextBlob, algorithm, request,
            action("Decrypt", algorithm, input.encryptionContext), tokens: input.grantTokens,
            ignoringCiphertext: ignoring)
        try refuse(input.recipient)
        try KeyHierarchy.checkEncryption(key, algorithm, input.encryptionContext, for: "Decrypt")
        if ignoring { try stopIfDry(input.dryRun) }
        let opened = try await open(input.ciphertextBlob, key, algorithm, input.encryptionContext)
        try stopIfDry(input.dryRun)
        let arn = key.arn
        return try await used(
            arn, "Decrypt", request,
            .init(
                keyId: arn, plaintext: SecretBlob(opened.plaintext), encryptionAlgorithm: algorithm,
                keyMaterialId: opened.materialID))
    }

    func reEncrypt(_ input: Shapes.ReEncryptInput, _ request: ServiceRequest) async throws -> Shapes.ReEncryptOutput {
        let from = input.sourceEncryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
        let to = input.destinationEncryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
        let ignoring = try ignoresCiphertext(input.dryRun, input.dryRunModifiers)
        let source = try await opener(
            input.sourceKeyId, input.ciphertextBlob, from, request,
            action("ReEncryptFrom", from, input.sourceEncryptionContext), tokens: input.grantTokens,
            ignoringCiphertext: ignoring)
        var target = action("ReEncryptTo", to, input.destinationEncryptionContext)
        let located = try await locate(input.destinationKeyId, try KMSCall(request))
        target.conditions["kms:ReEncryptOnSameKey"] = ["\(located.key.arn == source.arn)"]
        let destination = try await use(input.destinationKeyId, request, target, tokens: nil)
        try KeyHierarchy.checkEncryption(source, from, input.sourceEncryptionContext, for: "ReEncryptFrom")
        try KeyHierarchy.checkEncryption(destination, to, input.destinationEncryptionContext, for: "ReEncrypt")
        if ignoring { try stopIfDry(input.dryRun) }
        let opened = try await open(input.ciphertextBlob, source, from, input.sourceEncryptionContext)
        try stopIfDry(input.dryRun)
        let blob = try await keys.encrypt(
            opened.plaintext, destination, algorithm: to, context: input.destinationEncryptionContext)
        try await keys.noteUse(source.arn, operation: "ReEncrypt", requestID: request.requestID)
        return try await used(
            destination, "ReEncrypt", request,
            .init(
                ciphertextBlob: Data(blob), sourceKeyId: source.arn, keyId: destination.arn,
                sourceEncryptionAlgorithm: from, destinationEncryptionAlgorithm: to,
                sourceKeyMaterialId: opened.materialID,
                destinationKeyMaterialId: to == "SYMMETRIC_DEFAULT" ? destination.current?.materialID : nil))
    }
}
