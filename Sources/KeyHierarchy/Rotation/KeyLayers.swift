import Catalog
import Cryptography
public import Foundation

/// The state of one version of a key below the root.
public enum KeyState: String, Sendable, Codable {
    /// Seals what is new.
    case active
    /// Opens what it sealed before.
    case decryptOnly = "decrypt-only"
    /// Gone: its row holds no key any more.
    case destroyed
}

/// One version of a key below the root, as far as it can be told without opening anything it seals.
public struct KeyLayerItem: Sendable, Hashable {
    /// A layer of the hierarchy.
    public enum Layer: String, Sendable, Codable, CaseIterable {
        /// The keyring of a Region, which seals the backing keys of KMS keys.
        case keyring
        /// Pack indexes and reachability lists.
        case storage
        /// Secrets that services keep.
        case service
        /// Codes of records.
        case row
        /// The chain of the security journal.
        case journal
        /// Tokens and markers.
        case token
        /// Signatures over statements and tree heads.
        case signing
        /// Secrets of a dedup domain; the version is the epoch.
        case dedup
    }

    /// The layer.
    public let layer: Layer
    /// The Region of a keyring, the scope of a dedup domain; empty for keys of the instance.
    public let name: String
    /// Counts up from 1.
    public let version: UInt32
    /// What it may be used for.
    public let state: KeyState
    /// When it was made.
    public let createdAt: Date
    /// How many rows it seals, where that can be counted: backing keys under a keyring.
    public let uses: Int?
    /// A dedup domain's identity; nil for other layers.
    public let domain: [UInt8]?
    /// The KMS key that wraps a dedup domain's secret; nil for other layers and service-owned domains.
    public let keyARN: String?
    /// Since when nothing needs a dedup epoch, when that was noticed.
    public let unusedSince: Date?
}

extension KeyHierarchy {
    /// Every key below the root and above the KMS keys, layer by layer, oldest version first.
    public func layers() async throws -> [KeyLayerItem] {
        _ = try unsealed()
        return try await catalog.read { transaction in
            try Self.keyrings(transaction) + Self.instanceKeys(transaction) + Self.dedupEpochs(transaction)
        }
    }

    /// The epochs of all dedup domains.
    public func dedupEpochs() async throws -> [KeyLayerItem] {
        try await catalog.read { try Self.dedupEpochs($0) }
    }

    private static func keyrings(_ transaction: Transaction) throws -> [KeyLayerItem] {
        try transaction.rows("SELECT * FROM key_keyring ORDER BY region, version").map { row in
            let (region, version) = (try row.string("region"), try row.integer("version", as: UInt32.self))
            return KeyLayerItem(
                layer: .keyring, name: region, version: version, state: try state(row),
                createdAt: try row.date("created_at"),
                uses: try BackingKeys.count(region, under: version, transaction), domain: nil, keyARN: nil,
                unusedSince: nil)
        }
    }

    private static func instanceKeys(_ transaction: Transaction) throws -> [KeyLayerItem] {
        try transaction.rows("SELECT * FROM key_instance ORDER BY kind, version").compactMap { row in
            // A kind that a newer version made has no place here.
            guard let layer = KeyLayerItem.Layer(rawValue: try row.string("kind")) else { return nil }
            return KeyLayerItem(
                layer: layer, name: "", version: try row.integer("version", as: UInt32.self), state: try state(row),
                createdAt: try row.date("created_at"), uses: nil, domain: nil, keyARN: nil, unusedSince: nil)
        }
    }

    private static func dedupEpochs(_ transaction: Transaction) throws -> [KeyLayerItem] {
        try transaction.rows("SELECT * FROM key_dedup ORDER BY scope, epoch").map { row in
            KeyLayerItem(
                layer: .dedup, name: try row.string("scope"), version: try row.integer("epoch", as: UInt32.self),
                state: try state(row), createdAt: try row.date("created_at"), uses: nil,
                domain: try row.bytes("domain"), keyARN: try row.optionalString("key_arn"),
                unusedSince: try row.optionalDate("unused_since"))
        }
    }

    private static func state(_ row: Row) throws -> KeyState {
        let word = try row.string("state")
        // Dedup epochs that take no new chunks are read-only: the same thing in the words of its layer.
        if word == "read-only" { return .decryptOnly }
        guard let state = KeyState(rawValue: word) else {
            throw KeyError(.tampered, "A stored key has the unknown state \(word).")
        }
        return state
    }
}
