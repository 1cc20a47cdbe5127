import Catalog
import Cryptography
import Foundation
import Synchronization

/// What a rotation of one layer did.
public struct KeyRotationReport: Sendable, Hashable {
    /// The version that is current now.
    public let version: UInt32
    /// Rows that were sealed anew under it.
    public let rewrapped: Int
}

extension KeyHierarchy {
    /// Rows that one transaction seals anew: bounds how long other writers wait.
    private static let rewrapBatch = 500

    /// Adds a key to a Region's keyring, makes it current, and seals the backing keys of the Region's KMS keys under it.
    ///
    /// Nothing that callers hold changes: KMS ciphertexts are made under backing keys, whose seals are replaced here. A
    /// crash in between leaves backing keys under both keys; the next rotation or ``maintain()`` finishes.
    /// Throws `conflict` while another rotation runs, `notFound` for a Region without keys.
    public func rotateKeyring(region: String) async throws -> KeyRotationReport {
        try await exclusively {
            let state = try unsealed()
            let at = now()
            let version = try await catalog.write { transaction in
                var ring = try Keyring.existing(region, state.root, transaction)
                guard ring.currentVersion != 0 else {
                    throw KeyError(.notFound, "The Region \(region) has no keyring; it gets one with its first key.")
                }
                try ring.add(state.root, at, transaction)
                try state.records.note(
                    kind: "keyring", scope: region, id: "\(ring.currentVersion)", action: "rotate", transaction)
                return ring.currentVersion
            }
            return KeyRotationReport(version: version, rewrapped: try await rewrapBackingKeys(region, state))
        }
    }

    /// Destroys a key of a Region's keyring. Whoever holds old copies of the database and this key could open the backing
    /// keys that it sealed; once it is gone from every copy nobody can.
    ///
    /// Throws `conflict` for the current key, and while a backing key is still sealed under it.
    public func destroyKeyringKey(region: String, version: UInt32) async throws {
        try await exclusively {
            let state = try unsealed()
            try await catalog.write { transaction in
                let row = try transaction.row(
                    "SELECT state FROM key_keyring WHERE region = ? AND version = ?", region, version)
                try Self.checkDestroyable(row, "The keyring of \(region)", version)
                let uses = try BackingKeys.count(region, under: version, transaction)
                guard uses == 0 else {
                    throw KeyError(
                        .conflict, "\(uses) backing keys are still sealed under version \(version) of \(region).")
                }
                try transaction.execute(
                    "UPDATE key_keyring SET state = 'destroyed', sealed = ? WHERE region = ? AND version = ?",
                    [UInt8](),
                    region, version)
                try state.records.note(
                    kind: "keyring", scope: region, id: "\(version)", action: "destroy", transaction)
            }
        }
    }

    /// Seals under the current keys what an interrupted rotation left under older ones.
    func finishKeyringRotations() async throws {
        let state = try unsealed()
        let regions = try await catalog.read { transaction in
            try transaction.rows("SELECT DISTINCT region FROM key_keyring WHERE state = 'decrypt-only'").map {
                try $0.string("region")
            }
        }
        for region in regions { _ = try await rewrapBackingKeys(region, state) }
    }

    private func rewrapBackingKeys(_ region: String, _ state: Unsealed) async throws -> Int {
        var total = 0
        while true {
            let count = try await catalog.write { transaction in
                let ring = try Keyring.existing(region, state.root, transaction)
                return try BackingKeys.rewrap(ring, limit: Self.rewrapBatch, transaction)
            }
            if count == 0 { return total }
            total += count
        }
    }

    static func checkDestroyable(_ row: Row?, _ what: String, _ version: UInt32) throws {
        guard let row else { throw KeyError(.notFound, "\(what) has no version \(version).") }
        switch KeyState(rawValue: try row.string("state")) {
        case .active: throw KeyError(.conflict, "\(what) uses version \(version) now; rotate it first.")
        case .destroyed: throw KeyError(.conflict, "Version \(version) is destroyed already.")
        case .decryptOnly, nil: break
        }
    }

    /// Lets one rotation or destruction run at a time.
    func exclusively<Result>(_ body: () async throws -> Result) async throws -> Result {
        let mine = isRotating.withLock { busy in
            defer { busy = true }
            return !busy
        }
        guard mine else { throw KeyError(.conflict, "Another rotation is under way; try again when it is done.") }
        defer { isRotating.withLock { $0 = false } }
        return try await body()
    }
}

extension BackingKeys {
    /// The wrapping key's version as an envelope carries it, in bytes 8 to 11.
    private static func marker(_ version: UInt32) -> [UInt8] { withUnsafeBytes(of: version.bigEndian) { Array($0) } }

    /// How many backing keys of a Region are sealed under a version of its keyring.
    static func count(_ region: String, under version: UInt32, _ transaction: Transaction) throws -> Int {
        try transaction.row(
            "SELECT COUNT(*) AS n FROM key_backing WHERE region = ? AND substr(sealed, 9, 4) = ?", region,
            marker(version))?.int("n") ?? 0
    }

    /// Seals up to `limit` backing keys under the ring's current key. Returns how many.
    static func rewrap(_ ring: Keyring, limit: Int, _ transaction: Transaction) throws -> Int {
        let rows = try transaction.rows(
            "SELECT * FROM key_backing WHERE region = ? AND substr(sealed, 9, 4) <> ? LIMIT ?", ring.region,
            marker(ring.currentVersion), limit)
        for row in rows {
            let scope = AccountRegion(account: try row.string("account"), region: ring.region)
            let (keyID, version) = (try row.string("key_id"), try row.integer("version", as: UInt32.self))
            let name = name(scope, keyID, version)
            let sealed = try row.bytes("sealed")
            // The type is part of the derivation: a wrong one does not open.
            guard sealed.count > 6, let type = SealedEnvelope.ObjectType(rawValue: sealed[6]) else {
                throw KeyError(.tampered, "The backing key \(name) is not a sealed key.")
            }
            let secret = try ring.open(sealed, type: type, name: name)
            try transaction.execute(
                "UPDATE key_backing SET sealed = ? WHERE account = ? AND region = ? AND key_id = ? AND version = ?",
                try ring.seal(secret, type: type, name: name), scope.account, scope.region, keyID, version)
        }
        return rows.count
    }
}
