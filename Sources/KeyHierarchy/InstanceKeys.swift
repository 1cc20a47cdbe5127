import Catalog
import Cryptography
import Foundation

/// The keys that belong to the instance itself, one row a version, sealed under the root key.
struct InstanceKeys: Sendable {
    /// What a key is for.
    enum Kind: String, Sendable, CaseIterable {
        /// Pack footers and reachability lists.
        case storage
        /// Codes of records.
        case row
        /// The chain of the security journal.
        case journal
        /// Grant tokens, import tokens and paging markers.
        case token
        /// Secrets that services keep: access keys, logs, account-wide dedup domains.
        case service
        /// Signatures of the instance: an Ed25519 key in PKCS#8.
        case signing

        var objectType: SealedEnvelope.ObjectType {
            switch self {
            case .storage: .storageKey
            case .signing: .signingKey
            default: .instanceKey
            }
        }

        func make() throws -> SecretBytes {
            self == .signing ? try AsymmetricPrivateKey.generate(.ed25519).pkcs8() : .random(count: 32)
        }
    }

    private var keys: [Kind: [UInt32: SecretBytes]] = [:]
    private var currentVersions: [Kind: UInt32] = [:]

    func current(_ kind: Kind) throws(KeyError) -> (version: UInt32, key: SecretBytes) {
        guard let version = currentVersions[kind], let key = keys[kind]?[version] else {
            throw KeyError(.tampered, "The instance has no active \(kind.rawValue) key.")
        }
        return (version, key)
    }

    func key(_ kind: Kind, version: UInt32) throws(KeyError) -> SecretBytes {
        guard let key = keys[kind]?[version] else {
            throw KeyError(.notFound, "The \(kind.rawValue) key of version \(version) does not exist or was destroyed.")
        }
        return key
    }

    /// Every version of a kind that is not destroyed.
    func all(_ kind: Kind) -> [UInt32: SecretBytes] { keys[kind] ?? [:] }

    private static func name(_ root: RootKey, _ kind: Kind, _ version: UInt32) -> String {
        "instance/\(Hex.encode(root.instance))/\(kind.rawValue)/\(version)"
    }

    /// Opens all keys; makes the first of each kind on an instance's first start; re-wraps what an interrupted rotation
    /// of the root left under the root before.
    static func load(_ root: RootKey, _ now: Date, _ transaction: Transaction) throws -> InstanceKeys {
        var result = InstanceKeys()
        for kind in Kind.allCases {
            let rows = try transaction.rows("SELECT * FROM key_instance WHERE kind = ? ORDER BY version", kind.rawValue)
            for row in rows where try row.string("state") != KeyState.destroyed.rawValue {
                let version = try row.integer("version", as: UInt32.self)
                let key = try openUnderRoot(
                    row.bytes("sealed"), root, type: kind.objectType, name: name(root, kind, version)
                ) { sealed in
                    try transaction.execute(
                        "UPDATE key_instance SET sealed = ? WHERE kind = ? AND version = ?", sealed, kind.rawValue,
                        version)
                }
                result.keys[kind, default: [:]][version] = key
                if try row.string("state") == "active" { result.currentVersions[kind] = version }
            }
            if rows.isEmpty { try result.add(kind, root, now, transaction) }
        }
        return result
    }

    /// One key as it is stored; nil when there is none or it was destroyed.
    static func stored(_ kind: Kind, version: UInt32, _ root: RootKey, _ transaction: Transaction) throws
        -> SecretBytes?
    {
        let row = try transaction.row(
            "SELECT sealed, state FROM key_instance WHERE kind = ? AND version = ?", kind.rawValue, version)
        guard let row, try row.string("state") != KeyState.destroyed.rawValue else { return nil }
        return try openUnderRoot(
            row.bytes("sealed"), root, type: kind.objectType, name: name(root, kind, version)
        ) { _ in }
    }

    /// Makes a new version current; the ones before only open from now on.
    mutating func add(_ kind: Kind, _ root: RootKey, _ now: Date, _ transaction: Transaction) throws {
        let last = try transaction.row("SELECT MAX(version) AS last FROM key_instance WHERE kind = ?", kind.rawValue)
        let version = UInt32(try last?.optionalInt64("last") ?? 0) + 1
        let key = try kind.make()
        let sealed = try SealedEnvelope.seal(
            key, under: root.secret, keyVersion: root.generation, type: kind.objectType,
            name: Self.name(root, kind, version))
        try transaction.execute(
            "UPDATE key_instance SET state = 'decrypt-only' WHERE kind = ? AND state = 'active'", kind.rawValue)
        try transaction.execute(
            "INSERT INTO key_instance (kind, version, state, sealed, created_at) VALUES (?, ?, 'active', ?, ?)",
            kind.rawValue, version, sealed, now)
        keys[kind, default: [:]][version] = key
        currentVersions[kind] = version
    }
}

/// Opens an envelope under the root key or, while a rotation is unfinished, the one before; then `rewrap` stores it anew.
func openUnderRoot(
    _ sealed: [UInt8], _ root: RootKey, type: SealedEnvelope.ObjectType, name: String, rewrap: ([UInt8]) throws -> Void
) throws -> SecretBytes {
    let generation = try SealedEnvelope.keyVersion(of: sealed)
    guard let secret = root.secret(generation: generation) else {
        throw KeyFormatError("CFSE", "it is sealed under root generation \(generation); \(root.generation) is open")
    }
    let key = try SealedEnvelope.open(sealed, under: secret, type: type, name: name)
    if generation != root.generation {
        try rewrap(
            try SealedEnvelope.seal(key, under: root.secret, keyVersion: root.generation, type: type, name: name))
    }
    return key
}
