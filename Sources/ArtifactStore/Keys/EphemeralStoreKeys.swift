package import Cryptography
package import Foundation
package import KeyHierarchy
import Synchronization

/// Keys that live in memory only: for tests and benchmarks of the store by itself. What they protect is unreadable once
/// they are gone.
package final class EphemeralStoreKeys: StoreKeys {
    private let storage: Mutex<[UInt32: SecretBytes]>
    /// Epochs of a scope's domain, oldest first.
    private let domains = Mutex<[StoreDomainScope: [StoreDomain]]>([:])
    private let unused = Mutex<[[UInt8]: Date]>([:])
    private let dataKeys = Mutex<[[UInt8]: (key: SecretBytes, binding: DataKeyBinding)]>([:])
    /// Keys under which data keys were wrapped anew.
    private let owners = Mutex<[[UInt8]: String]>([:])
    private let isDisabled = Mutex(false)
    private let ownSigner = Mutex<EphemeralSigner?>(nil)
    private let seed: UInt64?

    /// - Parameter seed: makes the keys on which cutting and naming depend the same in every run; nil: random ones.
    package init(seed: UInt64? = nil) {
        self.seed = seed
        storage = Mutex([1: Self.key(seed, "storage")])
    }

    private static func key(_ seed: UInt64?, _ name: String) -> SecretBytes {
        guard let seed else { return .random(count: 32) }
        return SecretBytes(copying: SHA256.digest(Array("\(seed)/\(name)".utf8)).bytes)
    }

    /// While true, nothing can be wrapped or unwrapped.
    package func setDisabled(_ value: Bool) { isDisabled.withLock { $0 = value } }

    private func check() throws {
        if isDisabled.withLock({ $0 }) { throw StoreError(.keyUnavailable, "the key is disabled") }
    }

    package func resolve(_ keyID: String?, in scope: AccountRegion) async throws -> StoreKeyReference {
        let id = keyID.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? "default"
        return StoreKeyReference(id: id, arn: "arn:aws:kms:\(scope.region):\(scope.account):key/\(id)")
    }

    package func newDataKey(
        under key: StoreKeyReference, for binding: DataKeyBinding
    ) async throws -> (key: SecretBytes, wrapped: [UInt8]) {
        try check()
        let made = SecretBytes.random(count: 32)
        let name = SecureRandom.bytes(16)
        dataKeys.withLock { $0[name] = (made, binding) }
        return (made, name)
    }

    package func openDataKey(_ wrapped: [UInt8], of binding: DataKeyBinding) async throws -> SecretBytes {
        try check()
        guard let found = dataKeys.withLock({ $0[wrapped] }), found.binding == binding else {
            throw StoreError(.keyUnavailable, "there is no such data key")
        }
        return found.key
    }

    package func currentStorageKey() async throws -> (version: UInt32, key: SecretBytes) {
        guard let newest = storage.withLock({ $0.max { $0.key < $1.key } }) else {
            throw StoreError(.keyUnavailable, "there is no storage key")
        }
        return (newest.key, newest.value)
    }

    package func storageKey(version: UInt32) async throws -> SecretBytes {
        guard let key = storage.withLock({ $0[version] }) else {
            throw StoreError(.keyUnavailable, "there is no storage key \(version)")
        }
        return key
    }

    package func storageKeyVersions() async throws -> [UInt32] { storage.withLock { $0.keys.sorted() } }

    package func rotateStorageKey() async throws -> (version: UInt32, key: SecretBytes) {
        let next = SecretBytes.random(count: 32)
        return storage.withLock { keys in
            let version = (keys.keys.max() ?? 0) + 1
            keys[version] = next
            return (version, next)
        }
    }

    package func destroyStorageKey(version: UInt32) async throws { storage.withLock { $0[version] = nil } }

    package func domain(for scope: StoreDomainScope) async throws -> StoreDomain {
        try check()
        return domains.withLock { domains in
            if let found = domains[scope]?.last { return found }
            let made = Self.makeDomain(seed, "\(domains.count)", id: SecureRandom.bytes(16), epoch: 1)
            domains[scope] = [made]
            return made
        }
    }

    private static func makeDomain(_ seed: UInt64?, _ name: String, id: [UInt8], epoch: UInt32) -> StoreDomain {
        StoreDomain(
            id: id, epoch: epoch, idKey: key(seed, "id/\(name)"), chunkKey: key(seed, "chunk/\(name)"),
            cutKey: key(seed, "cut/\(name)"))
    }

    package func domain(id: [UInt8], epoch: UInt32) async throws -> StoreDomain {
        try check()
        guard let found = domains.withLock({ $0.values.joined().first { $0.id == id && $0.epoch == epoch } }) else {
            throw StoreError(.keyUnavailable, "there is no such domain")
        }
        return found
    }

    package func rotateDomain(id: [UInt8]) async throws -> UInt32 {
        try check()
        return try domains.withLock { domains in
            guard let (scope, epochs) = domains.first(where: { $0.value.last?.id == id }), let last = epochs.last else {
                throw StoreError(.keyUnavailable, "there is no such domain")
            }
            domains[scope] =
                epochs + [Self.makeDomain(seed, "\(domains.count)/\(last.epoch + 1)", id: id, epoch: last.epoch + 1)]
            return last.epoch + 1
        }
    }

    package func retiredDomainEpochs() async throws -> [StoreDomainEpoch] {
        let unused = unused.withLock { $0 }
        return domains.withLock { domains in
            domains.values.flatMap { epochs in
                epochs.dropLast().map {
                    StoreDomainEpoch(id: $0.id, epoch: $0.epoch, unusedSince: unused[Self.name($0.id, $0.epoch)])
                }
            }
        }
    }

    package func noteDomainEpoch(_ epoch: StoreDomainEpoch, isUnused: Bool) async throws -> Date? {
        unused.withLock { unused in
            let name = Self.name(epoch.id, epoch.epoch)
            unused[name] = isUnused ? unused[name] ?? Date() : nil
            return unused[name]
        }
    }

    package func destroyDomainEpoch(_ epoch: StoreDomainEpoch) async throws {
        domains.withLock { domains in
            domains = domains.mapValues { $0.filter { $0.id != epoch.id || $0.epoch != epoch.epoch } }
        }
    }

    private static func name(_ id: [UInt8], _ epoch: UInt32) -> [UInt8] {
        id + withUnsafeBytes(of: epoch.bigEndian) { Array($0) }
    }

    package func newestDomain(id: [UInt8]) async throws -> StoreDomain {
        try check()
        guard let found = domains.withLock({ $0.values.first { $0.last?.id == id }?.last }) else {
            throw StoreError(.keyUnavailable, "there is no such domain")
        }
        return found
    }

    package func rewrapDataKey(
        _ wrapped: [UInt8], of binding: DataKeyBinding, under key: StoreKeyReference
    ) async throws -> [UInt8]? {
        let dataKey = try await openDataKey(wrapped, of: binding)
        guard owners.withLock({ $0[wrapped] }) != key.arn else { return nil }
        let name = SecureRandom.bytes(16)
        dataKeys.withLock { $0[name] = (dataKey, binding) }
        owners.withLock { $0[name] = key.arn }
        return name
    }

    package func rewrapDomains(ofKey arn: String) async throws {}

    package func signer() async throws -> any StoreSigner {
        try ownSigner.withLock { (known: inout EphemeralSigner?) throws -> EphemeralSigner in
            if let known { return known }
            let made = try EphemeralSigner()
            known = made
            return made
        }
    }
}
