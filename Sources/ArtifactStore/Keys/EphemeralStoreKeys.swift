package import Cryptography
package import KeyHierarchy
import Synchronization

/// Keys that live in memory only: for tests and benchmarks of the store by itself. What they protect is unreadable once
/// they are gone.
package final class EphemeralStoreKeys: StoreKeys {
    private let storage: SecretBytes
    private let domains = Mutex<[StoreDomainScope: StoreDomain]>([:])
    private let dataKeys = Mutex<[[UInt8]: (key: SecretBytes, binding: DataKeyBinding)]>([:])
    private let isDisabled = Mutex(false)
    private let seed: UInt64?

    /// - Parameter seed: makes the keys on which cutting and naming depend the same in every run; nil: random ones.
    package init(seed: UInt64? = nil) {
        self.seed = seed
        storage = Self.key(seed, "storage")
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
        let id = keyID ?? "default"
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

    package func currentStorageKey() async throws -> (version: UInt32, key: SecretBytes) { (1, storage) }

    package func storageKey(version: UInt32) async throws -> SecretBytes {
        guard version == 1 else { throw StoreError(.keyUnavailable, "there is no storage key \(version)") }
        return storage
    }

    package func domain(for scope: StoreDomainScope) async throws -> StoreDomain {
        try check()
        return domains.withLock { domains in
            if let found = domains[scope] { return found }
            let made = StoreDomain(
                id: SecureRandom.bytes(16), epoch: 1, idKey: Self.key(seed, "id/\(domains.count)"),
                chunkKey: Self.key(seed, "chunk/\(domains.count)"), cutKey: Self.key(seed, "cut/\(domains.count)"))
            domains[scope] = made
            return made
        }
    }

    package func domain(id: [UInt8], epoch: UInt32) async throws -> StoreDomain {
        try check()
        guard let found = domains.withLock({ $0.values.first { $0.id == id && $0.epoch == epoch } }) else {
            throw StoreError(.keyUnavailable, "there is no such domain")
        }
        return found
    }
}
