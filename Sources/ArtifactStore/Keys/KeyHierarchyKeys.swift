public import Catalog
import Cryptography
public import Foundation
public import KeyHierarchy

/// The store's keys out of the key hierarchy: data keys and domain secrets come through the same door as anybody's
/// `GenerateDataKey` and `Decrypt`, so that key state, policy and rotation apply.
struct KeyHierarchyKeys: StoreKeys {
    let hierarchy: KeyHierarchy
    /// Asked before a key of another account protects an account's content; nil: none may.
    var admits: (@Sendable (KMSKeyReference, AccountRegion) async throws -> Void)?

    func resolve(_ keyID: String?, in scope: AccountRegion) async throws -> StoreKeyReference {
        try await Self.translating {
            if let keyID, keyID.contains(":alias/aws/"), !keyID.contains(":\(scope.account):") {
                // Asking must not make a managed key in somebody else's account.
                throw KeyError(.accessDenied, "\(keyID) serves only the account it belongs to")
            }
            let key = try await hierarchy.resolveKey(keyID, in: scope)
            if key.scope.account != scope.account {
                guard let admits else {
                    throw KeyError(.accessDenied, "\(key.keyARN) is a key of another account than \(scope.account)")
                }
                try await admits(key, scope)
            }
            return StoreKeyReference(id: key.keyID, arn: key.keyARN)
        }
    }

    func newDataKey(
        under key: StoreKeyReference, for binding: DataKeyBinding
    ) async throws -> (key: SecretBytes, wrapped: [UInt8]) {
        try await Self.translating {
            let made = try await hierarchy.createEnvelope(
                artifactID: binding.artifactID, for: try Self.reference(key), context: binding.context)
            return (made.dataKey.key, made.envelope)
        }
    }

    func openDataKey(_ wrapped: [UInt8], of binding: DataKeyBinding) async throws -> SecretBytes {
        try await Self.opening(binding) {
            guard ArtifactKeyEnvelope.isEnvelope(wrapped) else {
                return try await hierarchy.decryptDataKey(wrapped, context: binding.bareContext)
            }
            return try await hierarchy.openEnvelope(
                wrapped, of: binding.artifactID, context: binding.context
            ).key
        }
    }

    /// Unwraps a data key for the recipient that has an encryption context of its own.
    func openDataKey(
        _ wrapped: [UInt8], of binding: DataKeyBinding, context: [String: String]
    ) async throws -> SecretBytes {
        try await Self.opening(binding) {
            try await hierarchy.openEnvelope(wrapped, of: binding.artifactID, context: context).key
        }
    }

    func currentStorageKey() async throws -> (version: UInt32, key: SecretBytes) {
        let key = try await hierarchy.storageKey()
        return (key.version, key.key)
    }

    func storageKey(version: UInt32) async throws -> SecretBytes {
        try await hierarchy.storageKey(version: version).key
    }

    func storageKeyVersions() async throws -> [UInt32] { try await hierarchy.storageKeyVersions() }

    func rotateStorageKey() async throws -> (version: UInt32, key: SecretBytes) {
        let key = try await hierarchy.rotateStorageKey()
        return (key.version, key.key)
    }

    func destroyStorageKey(version: UInt32) async throws { try await hierarchy.destroyStorageKey(version: version) }

    func newestDomain(id: [UInt8]) async throws -> StoreDomain {
        try await Self.translating {
            Self.domain(try await hierarchy.dedupDomain(id: id, epoch: try await hierarchy.newestDedupEpoch(id: id)))
        }
    }

    func rewrapDataKey(
        _ wrapped: [UInt8], of binding: DataKeyBinding, under key: StoreKeyReference
    ) async throws -> [UInt8]? {
        try await Self.opening(binding) {
            let reference = try Self.reference(key)
            guard ArtifactKeyEnvelope.isEnvelope(wrapped) else {
                let dataKey = try await hierarchy.decryptDataKey(wrapped, context: binding.bareContext)
                return try await hierarchy.envelope(
                    around: dataKey, artifactID: binding.artifactID, for: reference, context: binding.context)
            }
            return try await hierarchy.rewrapEnvelope(wrapped, owner: binding.context, under: reference)
        }
    }

    func rewrapDomains(ofKey arn: String) async throws {
        try await Self.translating {
            let key = try KeyHierarchy.keyReference(arn)
            _ = try await hierarchy.rewrapDedupDomains(key.scope, keyID: key.keyID)
        }
    }

    func rotateDomain(id: [UInt8]) async throws -> UInt32 {
        try await Self.translating { try await hierarchy.rotateDedupDomain(id: id) }
    }

    func retiredDomainEpochs() async throws -> [StoreDomainEpoch] {
        try await hierarchy.dedupEpochs().compactMap { item in
            guard item.state == .decryptOnly, let id = item.domain else { return nil }
            return StoreDomainEpoch(id: id, epoch: item.version, unusedSince: item.unusedSince)
        }
    }

    func noteDomainEpoch(_ epoch: StoreDomainEpoch, isUnused: Bool) async throws -> Date? {
        try await hierarchy.noteDedupEpoch(id: epoch.id, epoch: epoch.epoch, isUnused: isUnused)
    }

    func destroyDomainEpoch(_ epoch: StoreDomainEpoch) async throws {
        try await hierarchy.destroyDedupEpoch(id: epoch.id, epoch: epoch.epoch)
    }

    func signer() async throws -> any StoreSigner { HierarchySigner(hierarchy: hierarchy) }

    func domain(for scope: StoreDomainScope) async throws -> StoreDomain {
        try await Self.translating {
            switch scope {
            case .key(let key, _):
                Self.domain(try await hierarchy.dedupDomain(for: .key(try Self.reference(key))))
            case .account(let scope): Self.domain(try await hierarchy.dedupDomain(for: .account(scope)))
            case .pipeline(let name, let key, _):
                Self.domain(try await hierarchy.dedupDomain(for: .pipeline(name, try Self.reference(key))))
            case .artifact(let name, let key, _):
                Self.domain(try await hierarchy.dedupDomain(for: .artifact(name, try Self.reference(key))))
            }
        }
    }

    func domain(id: [UInt8], epoch: UInt32) async throws -> StoreDomain {
        try await Self.translating { Self.domain(try await hierarchy.dedupDomain(id: id, epoch: epoch)) }
    }

    private static func domain(_ domain: DedupDomain) -> StoreDomain {
        StoreDomain(
            id: domain.id, epoch: domain.epoch, idKey: domain.idKey, chunkKey: domain.chunkKey, cutKey: domain.cutKey)
    }

    /// The key's owner is in its ARN: `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`.
    static func reference(_ key: StoreKeyReference) throws -> KMSKeyReference {
        // Not split into strings: every publication asks for this twice.
        var colons: [String.Index] = []
        colons.reserveCapacity(5)
        for index in key.arn.utf8.indices where key.arn.utf8[index] == UInt8(ascii: ":") {
            colons.append(index)
            if colons.count == 5 { break }
        }
        guard colons.count == 5 else { throw StoreError.invalid("\(key.arn) is not the ARN of a key") }
        func part(_ number: Int) -> String {
            String(key.arn[key.arn.utf8.index(after: colons[number - 1])..<colons[number]])
        }
        return KMSKeyReference(scope: AccountRegion(account: part(4), region: part(3)), keyID: key.id)
    }

    /// The same for what opens a version's data key: one that was altered, or is another version's, is damage.
    private static func opening<T>(_ binding: DataKeyBinding, _ body: () async throws -> T) async throws -> T {
        do {
            return try await translating(body)
        } catch let error as KeyFormatError {
            throw StoreError.integrity("version \(binding.version): its data key does not open: \(error)")
        } catch let error as KeyError where error.code == .invalidCiphertext {
            throw StoreError.integrity("version \(binding.version): its data key was altered or is another version's")
        }
    }

    /// Says in the store's terms that a key cannot be used; the key service's message is kept.
    private static func translating<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let error as KeyError {
            let unavailable: [KeyError.Code] = [.disabled, .accessDenied, .invalidState, .keyUnavailable, .notFound]
            guard unavailable.contains(error.code) else { throw error }
            throw StoreError(.keyUnavailable, error.message)
        }
    }
}

extension ArtifactStore {
    /// Opens the store over a key hierarchy; see the designated initialiser.
    ///
    /// - Parameter admits: throws unless an account may put its content under a key of another account; nil: none may.
    public convenience init(
        configuration: StoreConfiguration, catalog: Catalog, keys: KeyHierarchy, backend: (any BlobBackend)? = nil,
        now: @escaping @Sendable () -> Date = { Date() },
        admits: (@Sendable (KMSKeyReference, AccountRegion) async throws -> Void)? = nil
    ) async throws {
        try await self.init(
            configuration: configuration, catalog: catalog, keys: KeyHierarchyKeys(hierarchy: keys, admits: admits),
            backend: backend, now: now)
    }
}
