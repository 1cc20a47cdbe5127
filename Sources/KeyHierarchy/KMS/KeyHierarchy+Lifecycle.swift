import Catalog
import Cryptography
import Foundation

/// What a new key is to be.
package struct NewKMSKey: Sendable {
    package var spec: String
    package var usage: String
    package var origin: String
    package var isMultiRegion: Bool
    package var description: String
    package var policy: String
    package var tags: [String: String]

    package init(
        spec: String = "SYMMETRIC_DEFAULT", usage: String = "ENCRYPT_DECRYPT", origin: String = "AWS_KMS",
        isMultiRegion: Bool = false, description: String = "", policy: String, tags: [String: String] = [:]
    ) {
        self.spec = spec
        self.usage = usage
        self.origin = origin
        self.isMultiRegion = isMultiRegion
        self.description = description
        self.policy = policy
        self.tags = tags
    }
}

/// The service's quotas.
package enum KMSLimits {
    package static let keysPerRegion = 100_000
    package static let aliasesPerKey = 50
    package static let grantsPerKey = 50_000
    package static let tagsPerKey = 50
    package static let onDemandRotations = 25
    package static let policyBytes = 32_768
    package static let grantTokens = 10
}

extension KeyHierarchy {
    /// Makes a key. Its kind was checked by `validate`.
    package func createKey(_ new: NewKMSKey, in scope: AccountRegion) async throws -> KMSKey {
        let kind = try Self.validate(new)
        let state = try unsealed()
        let at = now()
        let material = try await newMaterial(new, kind)
        return try await catalog.write { transaction in
            guard
                try state.records.count(kind: KMSKey.kind, scope: scope.recordScope, transaction)
                    < KMSLimits.keysPerRegion
            else {
                throw KeyError(
                    .limitExceeded, "The account has \(KMSLimits.keysPerRegion) keys in \(scope.region) already.")
            }
            let change = KeyChange(state: state, now: at, transaction: transaction)
            let uuid = SecureRandom.uuidBytes()
            var key = KMSKey(
                keyID: new.isMultiRegion ? "mrk-" + Hex.encode(uuid) : Hex.uuidText(uuid), scope: scope, spec: new.spec,
                usage: new.usage, origin: new.origin, manager: "CUSTOMER",
                state: new.origin == "EXTERNAL" ? .pendingImport : .enabled, description: new.description,
                createdAt: at.milliseconds, policy: new.policy)
            key.tags = new.tags
            if new.isMultiRegion { key.primaryRegion = scope.region }
            if let material {
                try change.store(material, key, version: 1)
                key.materials = [
                    KMSKeyMaterial(
                        version: 1, materialID: Hex.encode(CiphertextBlob.materialID(of: material, keyUUID: key.uuid)),
                        state: "CURRENT")
                ]
            }
            try change.save(key, "create")
            return key
        }
    }

    /// Checks spec, usage and origin against each other.
    @discardableResult
    package static func validate(_ new: NewKMSKey) throws(KeyError) -> KeySpecs.Kind {
        let kind = try KeySpecs.kind(new.spec)
        guard kind.usages.contains(new.usage) else {
            throw KeyError(
                .validation,
                "KeyUsage \(new.usage) is not compatible with KeySpec \(new.spec)"
            )
        }
        guard new.origin == "AWS_KMS" || new.origin == "EXTERNAL" else {
            throw KeyError(.unsupported, "Origin \(new.origin) needs a custom key store, and there is none here.")
        }
        return kind
    }

    private func newMaterial(_ new: NewKMSKey, _ kind: KeySpecs.Kind) async throws -> SecretBytes? {
        guard new.origin == "AWS_KMS" else { return nil }
        if let spec = kind.asymmetric { return try await offPool { try AsymmetricPrivateKey.generate(spec).pkcs8() } }
        return SecretBytes.random(count: kind.hash?.digestBytes ?? 32)
    }

    /// Enables or disables. Idempotent.
    package func setEnabled(_ enabled: Bool, _ scope: AccountRegion, _ keyID: String) async throws {
        try await change(scope, keyID, action: enabled ? "enable" : "disable") { key, _ in
            try KeyStateRules.check(.enableDisable, key)
            if key.state != .unavailable { key.state = enabled ? .enabled : .disabled }
        }
    }

    /// Starts the waiting period before deletion.
    package func scheduleDeletion(_ scope: AccountRegion, _ keyID: String, days: Int) async throws -> KMSKey {
        try await change(scope, keyID, action: "schedule-deletion") { key, change in
            try KeyStateRules.check(.scheduleDeletion, key)
            key.pendingWindowDays = days
            if key.isMultiRegion, key.isPrimaryOrSingle, !key.replicaRegions.isEmpty {
                key.state = .pendingReplicaDeletion
            } else {
                key.state = .pendingDeletion
                key.deletionAt = change.milliseconds + Int64(days) * 86_400_000
            }
            return key
        }
    }

    /// Ends the waiting period; the key is disabled afterwards.
    package func cancelDeletion(_ scope: AccountRegion, _ keyID: String) async throws {
        try await change(scope, keyID, action: "cancel-deletion") { key, _ in
            try KeyStateRules.check(.cancelDeletion, key)
            key.state = key.origin == "EXTERNAL" && key.current == nil ? .pendingImport : .disabled
            key.deletionAt = nil
            key.pendingWindowDays = nil
        }
    }

    package func setDescription(_ text: String, _ scope: AccountRegion, _ keyID: String) async throws {
        try await change(scope, keyID, action: "describe") { key, _ in
            try KeyStateRules.check(.editing, key)
            key.description = text
        }
    }

    /// Stores a policy, which the caller has checked.
    package func setPolicy(_ text: String, _ scope: AccountRegion, _ keyID: String) async throws {
        try await change(scope, keyID, action: "put-policy") { key, _ in key.policy = text }
    }

    package func setTags(
        adding: [String: String] = [:], removing: [String] = [], _ scope: AccountRegion, _ keyID: String
    ) async throws {
        try await change(scope, keyID, action: adding.isEmpty ? "untag" : "tag") { key, _ in
            try KeyStateRules.check(.editing, key)
            for name in removing { key.tags[name] = nil }
            key.tags.merge(adding) { _, new in new }
            guard key.tags.count <= KMSLimits.tagsPerKey else {
                throw KeyError(.limitExceeded, "A key has at most \(KMSLimits.tagsPerKey) tags.")
            }
        }
    }

    /// Keys of an account and Region in the order of their IDs.
    package func listKeys(_ scope: AccountRegion, after marker: String, limit: Int) async throws -> [KMSKey] {
        let state = try unsealed()
        let at = now().milliseconds
        let keys = try await catalog.read { transaction in
            try state.records.list(KMSKey.self, scope: scope.recordScope, after: marker, limit: limit, transaction)
        }
        return keys.filter { !($0.state == .pendingDeletion && ($0.deletionAt ?? .max) <= at) }
    }
}
