public import Cryptography

/// A signature by the instance's own key.
public struct InstanceSignature: Sendable, Hashable {
    /// Which of the instance's signing keys made it.
    public let keyVersion: UInt32
    /// Ed25519 (RFC 8032), 64 bytes.
    public let bytes: [UInt8]

    /// A signature as it was stored.
    public init(keyVersion: UInt32, bytes: [UInt8]) {
        self.keyVersion = keyVersion
        self.bytes = bytes
    }
}

extension KeyHierarchy {
    /// Signs with the current signing key. Neither suspends nor touches the disk: fit for use inside a transaction.
    public func signAsInstance(_ message: [UInt8], version: UInt32? = nil) throws -> InstanceSignature {
        let signing = try unsealed().signing
        let version = version ?? signing.current
        guard let key = signing.keys[version] else { throw Self.noSigningKey(version) }
        return InstanceSignature(keyVersion: version, bytes: try key.sign(.message(message), .ed25519))
    }

    /// Whether a signature is the instance's own on a message.
    public func isInstanceSignature(_ signature: InstanceSignature, on message: [UInt8]) throws -> Bool {
        guard let key = try unsealed().signing.publicKeys[signature.keyVersion] else { return false }
        return try key.isValid(signature: signature.bytes, for: .message(message), .ed25519)
    }

    /// The public half of a signing key as SubjectPublicKeyInfo; nil: of the current one.
    public func instancePublicKey(version: UInt32? = nil) throws -> (version: UInt32, spki: [UInt8]) {
        let signing = try unsealed().signing
        let version = version ?? signing.current
        guard let key = signing.keys[version] else { throw Self.noSigningKey(version) }
        return (version, try key.subjectPublicKeyInfo())
    }

    /// The keys for codes over rows of a service's own, such as pins: the current one first, then those under which codes may
    /// still be until the rows were written anew.
    public func rowAuthenticationKeys(_ purpose: String) throws -> [SecretBytes] {
        let keys = try unsealed().keys
        let current = try keys.current(.row)
        let older = keys.all(.row).filter { $0.key != current.version }.sorted { $0.key > $1.key }.map(\.value)
        return ([current.key] + older).map { Derivation.expand($0, "rows", 32, Array(purpose.utf8)) }
    }

    private static func noSigningKey(_ version: UInt32) -> KeyError {
        KeyError(.tampered, "The instance has no signing key of version \(version).")
    }
}

/// The signing keys, parsed once.
struct SigningKeys: Sendable {
    let current: UInt32
    let keys: [UInt32: AsymmetricPrivateKey]
    let publicKeys: [UInt32: AsymmetricPublicKey]

    init(_ instance: InstanceKeys) throws {
        current = try instance.current(.signing).version
        var keys: [UInt32: AsymmetricPrivateKey] = [:]
        for (version, secret) in instance.all(.signing) { keys[version] = try AsymmetricPrivateKey(pkcs8: secret) }
        self.keys = keys
        publicKeys = try keys.mapValues { try $0.publicKey() }
    }
}
