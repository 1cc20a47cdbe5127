import AWSProtocol
import Cryptography
import Foundation
import KeyHierarchy

/// Data keys, data key pairs, random bytes.
extension KMSOperations {
    private static func dataKeyBytes(_ spec: String?, _ number: Int?) throws(KeyError) -> Int {
        switch (spec, number) {
        case ("AES_256", nil): return 32
        case ("AES_128", nil): return 16
        case (nil, let count?):
            guard (1...1024).contains(count) else {
                throw KeyError(.validation, "NumberOfBytes must be between 1 and 1024; it is \(count).")
            }
            return count
        case (nil, nil): throw KeyError(.validation, "Please specify either number of bytes or key spec.")
        default: throw KeyError(.validation, "Please specify either number of bytes or key spec, but not both.")
        }
    }

    private func wrappingKey(
        _ id: String, _ request: ServiceRequest, _ name: String, _ context: [String: String]?, _ tokens: [String]?,
        conditions: [String: [String]] = [:]
    ) async throws -> KMSKey {
        var all = conditions
        all["kms:EncryptionAlgorithm"] = ["SYMMETRIC_DEFAULT"]
        let key = try await use(
            id, request, KMSAction(name, context: context ?? [:], conditions: all), tokens: tokens)
        guard key.spec == "SYMMETRIC_DEFAULT" else {
            throw KeyError(.invalidKeyUsage, "\(key.arn) is a \(key.spec) key which is not valid for \(name).")
        }
        try KeyHierarchy.checkEncryption(key, "SYMMETRIC_DEFAULT", context, for: name)
        return key
    }

    func generateDataKey(_ input: Shapes.GenerateDataKeyInput, _ request: ServiceRequest) async throws
        -> Shapes.GenerateDataKeyOutput
    {
        let count = try Self.dataKeyBytes(input.keySpec, input.numberOfBytes)
        let key = try await wrappingKey(
            input.keyId, request, "GenerateDataKey", input.encryptionContext, input.grantTokens)
        try refuse(input.recipient)
        try stopIfDry(input.dryRun)
        let plaintext = SecretBytes.random(count: count)
        let blob = try await keys.encrypt(
            plaintext, key, algorithm: "SYMMETRIC_DEFAULT", context: input.encryptionContext)
        let arn = key.arn
        return try await used(
            arn, "GenerateDataKey", request,
            .init(
                ciphertextBlob: Data(blob), plaintext: SecretBlob(plaintext), keyId: arn,
                keyMaterialId: key.current?.materialID))
    }

    func generateDataKeyWithoutPlaintext(
        _ input: Shapes.GenerateDataKeyWithoutPlaintextInput, _ request: ServiceRequest
    ) async throws -> Shapes.GenerateDataKeyWithoutPlaintextOutput {
        let spec = input.keySpec ?? (input.numberOfBytes == nil ? "AES_256" : nil)
        let count = try Self.dataKeyBytes(spec, input.numberOfBytes)
        let key = try await wrappingKey(
            input.keyId, request, "GenerateDataKeyWithoutPlaintext", input.encryptionContext, input.grantTokens)
        try stopIfDry(input.dryRun)
        let blob = try await keys.encrypt(
            .random(count: count), key, algorithm: "SYMMETRIC_DEFAULT", context: input.encryptionContext)
        return try await used(
            key, "GenerateDataKeyWithoutPlaintext", request,
            .init(ciphertextBlob: Data(blob), keyId: key.arn, keyMaterialId: key.current?.materialID))
    }

    private func makePair(
        _ spec: String, _ key: KMSKey, _ context: [String: String]?
    ) async throws -> (private: SecretBytes, public: [UInt8], blob: [UInt8]) {
        guard let asymmetric = KeySpecs.kinds[spec]?.asymmetric else {
            throw KeyError(.unsupported, "KeyPairSpec \(spec) is not supported here.")
        }
        let pair = try await keys.makePair(asymmetric)
        let secret = try pair.pkcs8()
        let blob = try await keys.encrypt(secret, key, algorithm: "SYMMETRIC_DEFAULT", context: context)
        return (secret, try pair.subjectPublicKeyInfo(), blob)
    }

    func generateDataKeyPair(
        _ input: Shapes.GenerateDataKeyPairInput, _ request: ServiceRequest
    ) async throws -> Shapes.GenerateDataKeyPairOutput {
        let key = try await wrappingKey(
            input.keyId, request, "GenerateDataKeyPair", input.encryptionContext, input.grantTokens,
            conditions: ["kms:DataKeyPairSpec": [input.keyPairSpec]])
        try refuse(input.recipient)
        try stopIfDry(input.dryRun)
        let pair = try await makePair(input.keyPairSpec, key, input.encryptionContext)
        return try await used(
            key, "GenerateDataKeyPair", request,
            .init(
                privateKeyCiphertextBlob: Data(pair.blob), privateKeyPlaintext: SecretBlob(pair.private),
                publicKey: Data(pair.public), keyId: key.arn, keyPairSpec: input.keyPairSpec,
                keyMaterialId: key.current?.materialID))
    }

    func generateDataKeyPairWithoutPlaintext(
        _ input: Shapes.GenerateDataKeyPairWithoutPlaintextInput, _ request: ServiceRequest
    ) async throws -> Shapes.GenerateDataKeyPairWithoutPlaintextOutput {
        let key = try await wrappingKey(
            input.keyId, request, "GenerateDataKeyPairWithoutPlaintext", input.encryptionContext, input.grantTokens,
            conditions: ["kms:DataKeyPairSpec": [input.keyPairSpec]])
        try stopIfDry(input.dryRun)
        let pair = try await makePair(input.keyPairSpec, key, input.encryptionContext)
        return try await used(
            key, "GenerateDataKeyPairWithoutPlaintext", request,
            .init(
                privateKeyCiphertextBlob: Data(pair.blob), publicKey: Data(pair.public), keyId: key.arn,
                keyPairSpec: input.keyPairSpec, keyMaterialId: key.current?.materialID))
    }

    func generateRandom(_ input: Shapes.GenerateRandomInput, _ request: ServiceRequest) async throws
        -> Shapes.GenerateRandomOutput
    {
        try authorizer.authorize(try KMSCall(request), "GenerateRandom")
        if input.customKeyStoreId != nil { throw Self.noKeyStore }
        try refuse(input.recipient)
        _ = try keys.instanceID()  // Sealed instances answer nothing.
        guard let count = input.numberOfBytes else { throw KeyError(.validation, "NumberOfBytes is required.") }
        guard (1...1024).contains(count) else {
            throw KeyError(.validation, "NumberOfBytes must be between 1 and 1024.")
        }
        return .init(plaintext: SecretBlob(.random(count: count)))
    }
}
