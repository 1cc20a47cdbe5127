import Catalog
package import Cryptography
import Foundation
import Synchronization

/// The cryptographic operations of the KMS API. Each checks usage and spec first, then the key's state.
extension KeyHierarchy {
    package static func require(usage: String, _ key: KMSKey, for operation: String) throws(KeyError) {
        guard key.usage == usage else {
            throw KeyError(
                .invalidKeyUsage, "\(key.arn) key usage is \(key.usage) which is not valid for \(operation).")
        }
    }

    static func invalidAlgorithm(_ algorithm: String, _ key: KMSKey) -> KeyError {
        KeyError(.invalidKeyUsage, "Algorithm \(algorithm) is incompatible with key spec \(key.spec).")
    }

    static var incorrectKey: KeyError {
        KeyError(.incorrectKey, "The key ID in the request does not identify a CMK that can perform this operation.")
    }

    /// Checks everything about an encryption or decryption but the bytes.
    package static func checkEncryption(
        _ key: KMSKey, _ algorithm: String, _ context: [String: String]?, for operation: String
    ) throws(KeyError) {
        // No symmetric ciphertext is from such a key, and KMS says so rather than what the key is for.
        if key.usage != "ENCRYPT_DECRYPT", algorithm == "SYMMETRIC_DEFAULT",
            operation == "Decrypt" || operation == "ReEncryptFrom"
        {
            throw incorrectKey
        }
        try require(usage: "ENCRYPT_DECRYPT", key, for: operation)
        guard KeySpecs.encryptionAlgorithms(key.spec, key.usage)?.contains(algorithm) ?? false else {
            throw invalidAlgorithm(algorithm, key)
        }
        if key.spec != "SYMMETRIC_DEFAULT", let context, !context.isEmpty {
            throw KeyError(.validation, "EncryptionContext is for symmetric encryption keys only.")
        }
        try KeyStateRules.check(.cryptography, key)
    }

    /// `Encrypt` under a symmetric or RSA key.
    package func encrypt(
        _ plaintext: SecretBytes, _ key: KMSKey, algorithm: String, context: [String: String]?
    ) async throws -> [UInt8] {
        try Self.checkEncryption(key, algorithm, context, for: "Encrypt")
        if key.spec == "SYMMETRIC_DEFAULT" { return try await encrypt(plaintext, under: key, context: context ?? [:]) }
        let hash: HashAlgorithm = algorithm == "RSAES_OAEP_SHA_1" ? .sha1 : .sha256
        let public_ = try await privateKey(key).publicKey()
        let max = public_.oaepBytesMax(hash: hash)
        guard plaintext.count <= max else {
            throw KeyError(
                .validation,
                "Algorithm \(algorithm) and key spec \(key.spec) cannot encrypt data larger than \(max) bytes.")
        }
        return try await offPool { try public_.encryptOAEP(plaintext, hash: hash) }
    }

    /// `Decrypt` of an RSA ciphertext.
    package func decryptRSA(_ ciphertext: [UInt8], _ key: KMSKey, algorithm: String) async throws -> SecretBytes {
        try Self.checkEncryption(key, algorithm, nil, for: "Decrypt")
        let hash: HashAlgorithm = algorithm == "RSAES_OAEP_SHA_1" ? .sha1 : .sha256
        let private_ = try await privateKey(key)
        do {
            return try await offPool { try private_.decryptOAEP(ciphertext, hash: hash) }
        } catch CryptographyError.authenticationFailed {
            throw Self.invalidCiphertext
        }
    }

    /// The key that a symmetric ciphertext names, in the caller's Region or, for multi-Region keys, under the ID there.
    package func blobKeyID(_ blob: [UInt8]) throws -> String { try Self.parse(blob).keyID }

    /// `Decrypt` of a symmetric ciphertext.
    package func decryptSymmetric(
        _ blob: [UInt8], _ key: KMSKey, context: [String: String]?
    ) async throws -> (plaintext: SecretBytes, materialID: String) {
        try Self.checkEncryption(key, "SYMMETRIC_DEFAULT", context, for: "Decrypt")
        let parsed = try Self.parse(blob)
        guard parsed.keyID == key.keyID else {
            throw Self.incorrectKey
        }
        let reference = Hex.encode(parsed.materialReference)
        let material = key.materials.first { $0.materialID.hasPrefix(reference) }?.materialID ?? ""
        return (try await decrypt(parsed, with: key, context: context ?? [:]), material)
    }

    package func generateMac(
        _ message: SecretBytes, _ key: KMSKey, algorithm: String, for operation: String = "GenerateMac"
    ) async throws -> [UInt8] {
        try Self.require(usage: "GENERATE_VERIFY_MAC", key, for: operation)
        guard KeySpecs.macAlgorithms(key.spec) == [algorithm] else { throw Self.invalidAlgorithm(algorithm, key) }
        try KeyStateRules.check(.cryptography, key)
        let secret = try await backingKey(key, version: try Self.currentVersion(key))
        switch algorithm {
        case "HMAC_SHA_224": return HMACSHA224.code(key: secret, message)
        case "HMAC_SHA_256": return HMACSHA256.code(key: secret, message).bytes
        case "HMAC_SHA_384": return HMACSHA384.code(key: secret, message)
        default: return HMACSHA512.code(key: secret, message)
        }
    }

    package static func checkSigning(
        _ key: KMSKey, _ algorithm: String, messageType: String, for operation: String
    ) throws(KeyError) -> SignatureScheme {
        try require(usage: "SIGN_VERIFY", key, for: operation)
        guard let scheme = KeySpecs.scheme(algorithm),
            KeySpecs.signingAlgorithms(key.spec, key.usage)?.contains(algorithm) ?? false
        else { throw invalidAlgorithm(algorithm, key) }
        guard messageType == "RAW" || (messageType == "DIGEST" && scheme.hash != nil) else {
            throw KeyError(.validation, "MessageType \(messageType) is not valid with \(algorithm).")
        }
        try KeyStateRules.check(.cryptography, key)
        return scheme
    }

    private static func input(
        _ message: SecretBytes, _ type: String, _ scheme: SignatureScheme, _ algorithm: String
    ) throws(KeyError) -> SignedInput {
        guard type == "DIGEST", let hash = scheme.hash else { return .secret(message) }
        guard message.count == hash.digestBytes else {
            throw KeyError(
                .validation,
                "Digest is invalid length for algorithm \(algorithm).")
        }
        return .digest(message.disclosing())  // What the signature tells of it anyway.
    }

    package func sign(
        _ message: SecretBytes, _ key: KMSKey, algorithm: String, messageType: String
    ) async throws -> [UInt8] {
        let scheme = try Self.checkSigning(key, algorithm, messageType: messageType, for: "Sign")
        let input = try Self.input(message, messageType, scheme, algorithm)
        let private_ = try await privateKey(key)
        return try await offPool { try private_.sign(input, scheme) }
    }

    /// Throws `invalidSignature` unless the signature is the key's.
    package func verify(
        _ signature: [UInt8], of message: SecretBytes, _ key: KMSKey, algorithm: String, messageType: String
    ) async throws {
        let scheme = try Self.checkSigning(key, algorithm, messageType: messageType, for: "Verify")
        let input = try Self.input(message, messageType, scheme, algorithm)
        let private_ = try await privateKey(key)
        let valid = try await offPool { try private_.publicKey().isValid(signature: signature, for: input, scheme) }
        guard valid else { throw KeyError(.invalidSignature, "The signature is not valid for this message and key.") }
    }

    package func deriveSharedSecret(_ key: KMSKey, peer: [UInt8]) async throws -> SecretBytes {
        try Self.require(usage: "KEY_AGREEMENT", key, for: "DeriveSharedSecret")
        try KeyStateRules.check(.cryptography, key)
        let private_ = try await privateKey(key)
        return try await offPool {
            let other: AsymmetricPublicKey
            do {
                other = try AsymmetricPublicKey(subjectPublicKeyInfo: peer)
            } catch {
                throw KeyError(.validation, "PublicKey is not a valid public key in SubjectPublicKeyInfo form.")
            }
            guard other.spec == private_.spec else {
                throw KeyError(.validation, "PublicKey lies on another curve than \(key.arn).")
            }
            return try private_.sharedSecret(with: other)
        }
    }

    /// The public half as SubjectPublicKeyInfo.
    package func publicKey(_ key: KMSKey) async throws -> [UInt8] {
        guard KeySpecs.kinds[key.spec]?.asymmetric != nil else {
            throw KeyError(.unsupported, "\(key.arn) is a \(key.spec) key, which has no public key.")
        }
        try KeyStateRules.check(.cryptography, key)
        return try await privateKey(key).subjectPublicKeyInfo()
    }

    /// A fresh asymmetric key, made away from the cooperative pool.
    package func makePair(_ spec: AsymmetricSpec) async throws -> AsymmetricPrivateKey {
        try await offPool { try AsymmetricPrivateKey.generate(spec) }
    }

    private static func currentVersion(_ key: KMSKey) throws(KeyError) -> UInt32 {
        guard let material = key.current else {
            throw KeyError(.invalidState, "\(key.arn) has no current key material.")
        }
        return material.version
    }

    private func privateKey(_ key: KMSKey) async throws -> AsymmetricPrivateKey {
        let version = try Self.currentVersion(key)
        let name = KeyCaches.BackingName(scope: key.scope, keyID: key.keyID, version: version)
        let (cached, epoch) = caches.withLock { ($0.privateKeys[name], $0.epoch) }
        if let cached { return cached }
        let secret = try await backingKey(key, version: version)
        let parsed = try await offPool { try AsymmetricPrivateKey(pkcs8: secret) }
        caches.withLock { $0.fill(parsed, name, since: epoch) }
        return parsed
    }
}
