import Cryptography
import KeyHierarchy

/// Encrypts small pieces of what providers keep in the catalog. `name` says what a piece is and is bound to it, so
/// that one cannot be put in the place of another.
protocol Sealing: Sendable {
    func seal(_ plaintext: [UInt8], name: String) async throws -> [UInt8]
    func open(_ sealed: [UInt8], name: String) async throws -> [UInt8]
}

/// Seals under the server's own keyring.
struct KeyringSealing: Sealing {
    let keys: KeyHierarchy

    func seal(_ plaintext: [UInt8], name: String) async throws -> [UInt8] {
        try await keys.sealServiceSecret(plaintext, name: name)
    }

    func open(_ sealed: [UInt8], name: String) async throws -> [UInt8] {
        try await keys.openServiceSecret(sealed, name: name).disclosing()
    }
}
