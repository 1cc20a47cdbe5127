import Catalog
import Cryptography
import Foundation
import Synchronization

/// What a change of keys works with inside its transaction.
package struct KeyChange {
    let state: Unsealed
    let now: Date
    let transaction: Transaction

    var milliseconds: Int64 { now.milliseconds }

    func find(_ scope: AccountRegion, _ keyID: String) throws -> KMSKey? {
        try state.records.find(KMSKey.self, scope: scope.recordScope, id: keyID, transaction)
    }

    func save(_ key: KMSKey, _ action: String) throws { try state.records.save(key, action: action, transaction) }

    func store(_ secret: SecretBytes, _ key: KMSKey, version: UInt32) throws {
        try BackingKeys.store(
            secret, key.scope, key.keyID, version: version, spec: key.spec, state.root, now, transaction)
    }

    func backing(_ key: KMSKey, version: UInt32) throws -> SecretBytes? {
        try BackingKeys.load(key.scope, key.keyID, version: version, spec: key.spec, state.root, transaction)
    }

    /// The same multi-Region key in other Regions of the account.
    func relatives(_ key: KMSKey) throws -> [KMSKey] {
        guard key.isMultiRegion else { return [] }
        return try state.records.children(KMSKey.self, of: key.recordParent, transaction).filter {
            $0.scope != key.scope
        }
    }
}

extension Date {
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}

extension KeyHierarchy {
    /// Changes a key in one transaction and forgets what was cached of it before returning.
    ///
    /// `body` sees the stored key after everything that was due has happened; what it leaves is stored and journalled.
    func change<T: Sendable>(
        _ scope: AccountRegion, _ keyID: String, action: String,
        _ body: @Sendable @escaping (inout KMSKey, KeyChange) throws -> T
    ) async throws -> T {
        let state = try unsealed()
        let at = now()
        defer { caches.withLock { $0.drop(keyID: keyID) } }
        let result: T? = try await catalog.write { transaction in
            let change = KeyChange(state: state, now: at, transaction: transaction)
            guard var key = try change.find(scope, keyID) else { throw Self.noSuchKey(scope, keyID) }
            guard try Settlement.settle(&key, change) else { return nil }
            let before = key
            let result = try body(&key, change)
            if key != before { try change.save(key, action) }
            return result
        }
        guard let result else { throw Self.noSuchKey(scope, keyID) }
        return result
    }

    func isDue(_ key: KMSKey) -> Bool { key.dueAt.map { $0 <= now().milliseconds } ?? false }

    /// Lets everything happen to a key that is due. Returns nil when that deleted it.
    func settle(_ scope: AccountRegion, _ keyID: String) async throws -> KMSKey? {
        let state = try unsealed()
        let at = now()
        defer { caches.withLock { $0.drop(keyID: keyID) } }
        return try await catalog.write { transaction in
            let change = KeyChange(state: state, now: at, transaction: transaction)
            guard var key = try change.find(scope, keyID) else { return nil }
            return try Settlement.settle(&key, change) ? key : nil
        }
    }

    /// Deletes, rotates and expires every key for which that is due. Reads do the same for the key they ask for; this
    /// makes deletions take effect on disk even when nobody asks.
    public func maintain() async throws {
        let state = try unsealed()
        try await finishKeyringRotations()
        try await finishRowKeyRotation()
        let due = try await catalog.read { transaction in
            try state.records.matching(KMSKey.self, aux: "due", transaction)
        }
        for key in due where isDue(key) { _ = try await settle(key.scope, key.keyID) }
    }
}

/// What happens to keys as time passes.
enum Settlement {
    /// Applies everything due to `key` and stores it. Returns false when the key was deleted.
    static func settle(_ key: inout KMSKey, _ change: KeyChange) throws -> Bool {
        while let due = key.dueAt, due <= change.milliseconds {
            switch key.state {
            case .pendingDeletion where key.deletionAt.map({ $0 <= change.milliseconds }) ?? false:
                try delete(key, change)
                return false
            case .creating, .updating:
                if let end = key.transitionAt, end <= change.milliseconds {
                    key.transitionAt = nil
                    key.state = key.current == nil ? .pendingImport : .enabled
                    try change.save(key, "settle")
                    continue
                }
                try expire(&key, change)
            default:
                if let next = key.nextRotationAt, key.state == .enabled, key.rotationEnabled,
                    next <= change.milliseconds
                {
                    try KeyRotation.rotate(&key, "AUTOMATIC", change)
                    let period = Int64(key.rotationPeriodDays ?? 365) * 86_400_000
                    let missed = max(0, (change.milliseconds - next) / period)
                    key.nextRotationAt = next + (missed + 1) * period
                    try change.save(key, "rotate")
                } else {
                    try expire(&key, change)
                }
            }
        }
        return true
    }

    /// Removes imported material whose time is over.
    private static func expire(_ key: inout KMSKey, _ change: KeyChange) throws {
        for index in key.materials.indices {
            guard let end = key.materials[index].validTo, end <= change.milliseconds,
                key.materials[index].importState == "IMPORTED"
            else { continue }
            try ImportedMaterial.remove(&key, at: index, change)
        }
        try change.save(key, "expire")
    }

    /// Destroys a key with its material, aliases, grants and dedup domains.
    static func delete(_ key: KMSKey, _ change: KeyChange) throws {
        let records = change.state.records
        for alias in try records.children(KMSAlias.self, of: key.arn, change.transaction) {
            try records.delete(alias, change.transaction)
        }
        for grant in try records.children(KMSGrant.self, of: key.arn, change.transaction) {
            try records.delete(grant, change.transaction)
        }
        try BackingKeys.delete(key.scope, key.keyID, change.transaction)
        try change.transaction.execute(
            "UPDATE key_dedup SET state = 'destroyed', wrapped = ? WHERE key_arn = ?", [UInt8](), key.arn)
        try records.delete(key, change.transaction)
        for var relative in try change.relatives(key) {
            relative.replicaRegions.removeAll { $0 == key.scope.region }
            if relative.state == .pendingReplicaDeletion, relative.replicaRegions.isEmpty {
                relative.state = .pendingDeletion
                relative.deletionAt = change.milliseconds + Int64(relative.pendingWindowDays ?? 30) * 86_400_000
            }
            try change.save(relative, "replica-deleted")
        }
    }
}
