import Catalog
import Cryptography
import Foundation

/// The domain keyring of one Region: DK_1 … DK_n, sealed under the root key. They seal backing keys.
struct Keyring: Sendable {
    let region: String
    private var keys: [UInt32: SecretBytes] = [:]
    private(set) var currentVersion: UInt32 = 0

    private init(region: String) { self.region = region }

    private static func name(_ root: RootKey, _ region: String, _ version: UInt32) -> String {
        "domain/\(Hex.encode(root.instance))/\(region)/\(version)"
    }

    /// Opens the Region's keyring, or makes its first key. Always from rows: a transaction that fails must not leave a
    /// key in memory that was never stored.
    static func load(_ region: String, _ root: RootKey, _ now: Date, _ transaction: Transaction) throws -> Keyring {
        var ring = try existing(region, root, transaction)
        if ring.currentVersion == 0 { try ring.add(root, now, transaction) }
        return ring
    }

    static func existing(_ region: String, _ root: RootKey, _ transaction: Transaction) throws -> Keyring {
        var ring = Keyring(region: region)
        for row in try transaction.rows(
            "SELECT * FROM key_keyring WHERE region = ? AND state <> 'destroyed' ORDER BY version", region)
        {
            let version = try row.integer("version", as: UInt32.self)
            ring.keys[version] = try openUnderRoot(
                row.bytes("sealed"), root, type: .domainKey, name: name(root, region, version), rewrap: { _ in })
            if try row.string("state") == "active" { ring.currentVersion = version }
        }
        return ring
    }

    /// Re-wraps every keyring that is still under the previous root. Part of finishing a rotation.
    static func rewrapAll(_ root: RootKey, _ transaction: Transaction) throws {
        for row in try transaction.rows("SELECT * FROM key_keyring WHERE state <> 'destroyed'") {
            let region = try row.string("region")
            let version = try row.integer("version", as: UInt32.self)
            _ = try openUnderRoot(
                row.bytes("sealed"), root, type: .domainKey, name: name(root, region, version)
            ) { sealed in
                try transaction.execute(
                    "UPDATE key_keyring SET sealed = ? WHERE region = ? AND version = ?", sealed, region, version)
            }
        }
    }

    mutating func add(_ root: RootKey, _ now: Date, _ transaction: Transaction) throws {
        let last = try transaction.row("SELECT MAX(version) AS last FROM key_keyring WHERE region = ?", region)
        let version = UInt32(try last?.optionalInt64("last") ?? 0) + 1
        let key = SecretBytes.random(count: 32)
        let sealed = try SealedEnvelope.seal(
            key, under: root.secret, keyVersion: root.generation, type: .domainKey,
            name: Self.name(root, region, version))
        try transaction.execute(
            "UPDATE key_keyring SET state = 'decrypt-only' WHERE region = ? AND state = 'active'", region)
        try transaction.execute(
            "INSERT INTO key_keyring (region, version, state, sealed, created_at) VALUES (?, ?, 'active', ?, ?)",
            region,
            version, sealed, now)
        keys[version] = key
        currentVersion = version
    }

    func seal(_ secret: SecretBytes, type: SealedEnvelope.ObjectType, name: String) throws -> [UInt8] {
        guard let key = keys[currentVersion] else {
            throw KeyError(.tampered, "The keyring of \(region) has no active key.")
        }
        return try SealedEnvelope.seal(secret, under: key, keyVersion: currentVersion, type: type, name: name)
    }

    func open(_ sealed: [UInt8], type: SealedEnvelope.ObjectType, name: String) throws -> SecretBytes {
        let version = try SealedEnvelope.keyVersion(of: sealed)
        guard let key = keys[version] else {
            throw KeyError(.tampered, "The keyring of \(region) has no key of version \(version).")
        }
        return try SealedEnvelope.open(sealed, under: key, type: type, name: name)
    }
}
