import Catalog
public import Cryptography
import Foundation
import Synchronization

/// A key for pack footers and reachability lists.
public struct StorageKey: Sendable {
    /// Recorded in what it seals.
    public let version: UInt32
    /// 32 bytes.
    public let key: SecretBytes
}

/// The secrets of one epoch of a dedup domain: whoever lacks them can neither name nor open a chunk from its content.
public struct DedupDomain: Sendable {
    /// 16 random bytes.
    public let id: [UInt8]
    /// Counts re-keyings; new chunks go into the newest.
    public let epoch: UInt32
    /// K_id: chunk identities.
    public let idKey: SecretBytes
    /// K_ck: chunk keys.
    public let chunkKey: SecretBytes
    /// K_cdc: chunk boundaries.
    public let cutKey: SecretBytes

    init(id: [UInt8], epoch: UInt32, secret: SecretBytes) {
        self.id = id
        self.epoch = epoch
        var number = ByteWriter()
        number.append(epoch)
        idKey = Derivation.expand(secret, "dedup/id", 32, id, number.bytes)
        chunkKey = Derivation.expand(secret, "dedup/ck", 32, id, number.bytes)
        cutKey = Derivation.expand(secret, "dedup/cdc", 32, id, number.bytes)
    }
}

/// A domain as it is cached, with the key whose state decides about its use.
struct StoredDomain: Sendable {
    let domain: DedupDomain
    let scope: String
    let key: KMSKeyReference?
    let isActive: Bool
}

extension KeyHierarchy {
    /// The current storage key.
    public func storageKey() async throws -> StorageKey {
        let (version, key) = try unsealed().keys.current(.storage)
        return StorageKey(version: version, key: key)
    }

    /// The storage key of a version. Throws `notFound` when it was destroyed.
    public func storageKey(version: UInt32) async throws -> StorageKey {
        StorageKey(version: version, key: try unsealed().keys.key(.storage, version: version))
    }

    /// The newest epoch of the domain for a scope, made on first use.
    ///
    /// Throws `disabled` or `invalidState` while the domain's KMS key cannot be used: disabling a key stops writes too.
    public func dedupDomain(for scope: DedupScope) async throws -> DedupDomain {
        let state = try unsealed()
        let scopeName = scope.name
        let (cached, epoch) = caches.withLock { caches in
            (caches.domainsByScope[scopeName].flatMap { caches.domains[$0] }, caches.epoch)
        }
        if let cached { return try await usable(cached) }
        let row = try await catalog.read { transaction in
            try transaction.row(
                "SELECT domain, epoch FROM key_dedup WHERE scope = ? AND state = 'active' ORDER BY epoch DESC LIMIT 1",
                scopeName
            ).map { (id: try $0.bytes("domain"), epoch: try $0.integer("epoch", as: UInt32.self)) }
        }
        if let row { return try await loadDomain(id: row.id, epoch: row.epoch, since: epoch, state) }
        return try await makeDomain(scope, state)
    }

    /// A domain by its identity, for reading. Throws `notFound` when it was destroyed, and by its key's state.
    public func dedupDomain(id: [UInt8], epoch: UInt32) async throws -> DedupDomain {
        let state = try unsealed()
        let name = KeyCaches.DomainName(id: id, epoch: epoch)
        let (cached, cacheEpoch) = caches.withLock { ($0.domains[name], $0.epoch) }
        if let cached { return try await usable(cached) }
        return try await loadDomain(id: id, epoch: epoch, since: cacheEpoch, state)
    }

    /// Starts a new epoch of a scope's domain: new chunks share nothing with older ones, which stay readable.
    public func rotateDedupDomain(for scope: DedupScope) async throws -> DedupDomain {
        let current = try await dedupDomain(for: scope)
        let epoch = try await rotateDedupDomain(id: current.id)
        return try await dedupDomain(id: current.id, epoch: epoch)
    }

    private func usable(_ stored: StoredDomain) async throws -> DedupDomain {
        if let reference = stored.key {
            try KeyStateRules.check(.cryptography, try await key(reference.scope, reference.keyID))
        }
        return stored.domain
    }

    static func domainContext(_ id: [UInt8], _ epoch: UInt32) -> [String: String] {
        ["coffer:domain": Hex.encode(id), "coffer:epoch": "\(epoch)"]
    }

    private func makeDomain(_ scope: DedupScope, _ state: Unsealed) async throws -> DedupDomain {
        let (id, epoch) = (SecureRandom.bytes(16), UInt32(1))
        let wrapped = try await wrapDomainSecret(.random(count: 32), id: id, epoch: epoch, under: scope.key, state)
        let scopeName = scope.name
        let keyARN = scope.key?.keyARN
        let at = now()
        let winner = try await catalog.write { transaction in
            // Another caller may have been first: then its domain is the one.
            try transaction.execute(
                """
                INSERT INTO key_dedup (domain, epoch, scope, key_arn, state, wrapped, created_at)
                VALUES (?, ?, ?, ?, 'active', ?, ?) ON CONFLICT (scope, epoch) DO NOTHING
                """, id, epoch, scopeName, keyARN, wrapped, at)
            return try transaction.row("SELECT domain FROM key_dedup WHERE scope = ? AND epoch = ?", scopeName, epoch)?
                .bytes("domain") ?? id
        }
        let since = caches.withLock { $0.epoch }
        return try await loadDomain(id: winner, epoch: epoch, since: since, state)
    }

    /// Wraps a domain's secret under its KMS key, or under the service key when it has none.
    func wrapDomainSecret(
        _ secret: SecretBytes, id: [UInt8], epoch: UInt32, under reference: KMSKeyReference?, _ state: Unsealed
    ) async throws -> [UInt8] {
        if let reference {
            let key = try await key(reference.scope, reference.keyID)
            return try await encrypt(secret, under: key, context: Self.domainContext(id, epoch))
        }
        let (version, key) = try state.keys.current(.service)
        return try SealedEnvelope.seal(
            secret, under: key, keyVersion: version, type: .serviceSecret, name: "dedup/\(Hex.encode(id))/\(epoch)")
    }

    private func loadDomain(id: [UInt8], epoch: UInt32, since: UInt64, _ state: Unsealed) async throws -> DedupDomain {
        let row = try await catalog.read { transaction in
            try transaction.row("SELECT * FROM key_dedup WHERE domain = ? AND epoch = ?", id, epoch)
        }
        guard let row, try row.string("state") != "destroyed" else {
            throw KeyError(.notFound, "The dedup domain \(Hex.encode(id)) of epoch \(epoch) does not exist.")
        }
        let wrapped = try row.bytes("wrapped")
        var reference: KMSKeyReference?
        let secret: SecretBytes
        if let arn = try row.optionalString("key_arn") {
            let found = try Self.keyReference(arn)
            reference = found
            let key = try await key(found.scope, found.keyID)
            secret = try await decrypt(Self.parse(wrapped), with: key, context: Self.domainContext(id, epoch))
        } else {
            let key = try state.keys.key(.service, version: try SealedEnvelope.keyVersion(of: wrapped))
            secret = try SealedEnvelope.open(
                wrapped, under: key, type: .serviceSecret, name: "dedup/\(Hex.encode(id))/\(epoch)")
        }
        let stored = StoredDomain(
            domain: DedupDomain(id: id, epoch: epoch, secret: secret), scope: try row.string("scope"), key: reference,
            isActive: try row.string("state") == "active")
        caches.withLock { $0.fill(stored, since: since) }
        return stored.domain
    }
}
