import Catalog
import Cryptography
public import Foundation
import Synchronization

extension KeyHierarchy {
    /// How long an epoch must have been unused before it is destroyed: two looks at least a day apart must agree.
    public static let retirementSeconds = 24 * 3600

    /// Starts a new epoch of the dedup domain that has this identity. New chunks share nothing with older ones.
    ///
    /// Throws `notFound`, and by the state of the domain's KMS key.
    public func rotateDedupDomain(id: [UInt8]) async throws -> UInt32 {
        let state = try unsealed()
        let newest = try await catalog.read { transaction in
            try transaction.row("SELECT * FROM key_dedup WHERE domain = ? ORDER BY epoch DESC LIMIT 1", id)
        }
        guard let newest, try newest.string("state") == "active" else {
            throw KeyError(.notFound, "There is no dedup domain \(Hex.encode(id)) that takes new content.")
        }
        let epoch = UInt32(try newest.int64("epoch")) + 1
        let reference = try newest.optionalString("key_arn").map(Self.keyReference)
        let wrapped = try await wrapDomainSecret(.random(count: 32), id: id, epoch: epoch, under: reference, state)
        let (scope, keyARN, at) = (try newest.string("scope"), try newest.optionalString("key_arn"), now())
        defer { caches.withLock { $0.dropDomains() } }
        try await catalog.write { transaction in
            // Somebody else's new epoch is as good.
            try transaction.execute(
                """
                INSERT INTO key_dedup (domain, epoch, scope, key_arn, state, wrapped, created_at)
                VALUES (?, ?, ?, ?, 'active', ?, ?) ON CONFLICT (scope, epoch) DO NOTHING
                """, id, epoch, scope, keyARN, wrapped, at)
            try transaction.execute(
                "UPDATE key_dedup SET state = 'read-only' WHERE scope = ? AND epoch < ? AND state = 'active'", scope,
                epoch)
            try state.records.note(
                kind: "dedup", scope: Hex.encode(id), id: "\(epoch)", action: "rotate", transaction)
        }
        return epoch
    }

    /// Notes that nothing needs an epoch, or that something does again.
    ///
    /// - Returns: since when it is unused; nil when it is used, active or destroyed.
    public func noteDedupEpoch(id: [UInt8], epoch: UInt32, isUnused: Bool) async throws -> Date? {
        let at = now()
        return try await catalog.write { transaction in
            if isUnused {
                try transaction.execute(
                    """
                    UPDATE key_dedup SET unused_since = ?
                    WHERE domain = ? AND epoch = ? AND state = 'read-only' AND unused_since IS NULL
                    """, at, id, epoch)
            } else {
                try transaction.execute(
                    "UPDATE key_dedup SET unused_since = NULL WHERE domain = ? AND epoch = ?", id, epoch)
            }
            return try transaction.row(
                "SELECT unused_since FROM key_dedup WHERE domain = ? AND epoch = ? AND state = 'read-only'", id, epoch
            )?.optionalDate("unused_since")
        }
    }

    /// Destroys the secret of an epoch: what was stored in it can be read no more, and guesses at it cannot be tested.
    ///
    /// Throws `conflict` for the epoch in use. Whether versions still need it is the store's to know.
    public func destroyDedupEpoch(id: [UInt8], epoch: UInt32) async throws {
        let state = try unsealed()
        defer { caches.withLock { $0.dropDomains() } }
        try await catalog.write { transaction in
            let row = try transaction.row("SELECT state FROM key_dedup WHERE domain = ? AND epoch = ?", id, epoch)
            try Self.checkDestroyable(row, "The dedup domain \(Hex.encode(id))", epoch)
            try transaction.execute(
                "UPDATE key_dedup SET state = 'destroyed', wrapped = ? WHERE domain = ? AND epoch = ?", [UInt8](), id,
                epoch)
            try state.records.note(
                kind: "dedup", scope: Hex.encode(id), id: "\(epoch)", action: "destroy", transaction)
        }
    }

    /// Wraps the secrets of the dedup domains of a KMS key under its current material; after the key's rotation.
    ///
    /// - Returns: how many.
    public func rewrapDedupDomains(_ scope: AccountRegion, keyID: String) async throws -> Int {
        let state = try unsealed()
        let key = try await key(scope, keyID)
        guard let current = key.current.flatMap({ Hex.decode($0.materialID) }) else { return 0 }
        let rows = try await catalog.read { transaction in
            try transaction.rows("SELECT * FROM key_dedup WHERE key_arn = ? AND state <> 'destroyed'", key.arn)
        }
        var count = 0
        for row in rows {
            let (id, epoch) = (try row.bytes("domain"), try row.integer("epoch", as: UInt32.self))
            let old = try row.bytes("wrapped")
            let blob = try Self.parse(old)
            guard blob.materialReference != Array(current.prefix(16)) else { continue }
            let secret = try await decrypt(blob, with: key, context: Self.domainContext(id, epoch))
            let reference = KMSKeyReference(scope: scope, keyID: keyID)
            let new = try await wrapDomainSecret(secret, id: id, epoch: epoch, under: reference, state)
            count += try await catalog.write { transaction in
                try transaction.execute(
                    "UPDATE key_dedup SET wrapped = ? WHERE domain = ? AND epoch = ? AND wrapped = ?", new, id, epoch,
                    old)
            }
        }
        return count
    }

    /// The epoch of a domain that takes new content. Throws `notFound`.
    public func newestDedupEpoch(id: [UInt8]) async throws -> UInt32 {
        let row = try await catalog.read { transaction in
            try transaction.row("SELECT epoch FROM key_dedup WHERE domain = ? AND state = 'active'", id)
        }
        guard let row else {
            throw KeyError(.notFound, "There is no dedup domain \(Hex.encode(id)) that takes new content.")
        }
        return try row.integer("epoch", as: UInt32.self)
    }

    /// The key that an ARN names. Throws `tampered` when it names none.
    package static func keyReference(_ arn: String) throws -> KMSKeyReference {
        let identifier = try KeyIdentifier(parsing: arn, in: AccountRegion(account: "", region: ""))
        guard case .key(let keyID) = identifier.resource else {
            throw KeyError(.tampered, "A dedup domain is wrapped under \(arn), which is not a key.")
        }
        return KMSKeyReference(scope: identifier.scope, keyID: keyID)
    }
}
