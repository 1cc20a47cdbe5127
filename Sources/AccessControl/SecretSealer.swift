public import Cryptography

/// Seals small secrets for keeping, bound to a name under which alone they open again.
public protocol SecretSealer: Sendable {
    /// Encrypts and authenticates a secret.
    func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8]
    /// Opens what ``seal(_:name:)`` made under the same name.
    func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes
}
