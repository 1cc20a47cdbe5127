public import Cryptography
public import KeyHierarchy

/// Seals small secrets for keeping, bound to a name under which alone they open again.
public protocol SecretSealer: Sendable {
    /// Encrypts and authenticates a secret.
    func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8]
    /// Opens what ``seal(_:name:)`` made under the same name.
    func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes
}

/// Seals under the installation's key ring.
public struct KeyringSealer: SecretSealer {
    private let keys: KeyHierarchy

    /// Makes a sealer over a key hierarchy.
    public init(keys: KeyHierarchy) { self.keys = keys }

    /// Seals a secret with ``KeyHierarchy``'s service-secret envelope.
    public func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8] {
        try await keys.sealServiceSecret(plaintext, name: name)
    }

    /// Opens a service-secret envelope.
    public func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes {
        try await keys.openServiceSecret(sealed, name: name)
    }
}
