import Cryptography
import Synchronization

/// Storage keys by version, fetched once.
final class StorageKeyRing: Sendable {
    private struct State {
        var current: (version: UInt32, key: SecretBytes)
        var known: [UInt32: SecretBytes]
        /// Versions on their way to destruction: nothing may be committed that is sealed under them.
        var retired: Set<UInt32> = []
    }

    private let keys: any StoreKeys
    private let state: Mutex<State>

    init(keys: any StoreKeys, current: (version: UInt32, key: SecretBytes)) {
        self.keys = keys
        state = Mutex(State(current: current, known: [current.version: current.key]))
    }

    /// The key that seals what is new.
    var current: (version: UInt32, key: SecretBytes) { state.withLock { $0.current } }

    /// Every key that is not destroyed, the current one first.
    var all: [SecretBytes] {
        state.withLock { state in
            let older = state.known.keys.filter { $0 != state.current.version && !state.retired.contains($0) }
            return [state.current.key] + older.sorted(by: >).compactMap { state.known[$0] }
        }
    }

    func key(version: UInt32) async throws -> SecretBytes {
        if let found = state.withLock({ $0.known[version] }) { return found }
        let key: SecretBytes
        do {
            key = try await keys.storageKey(version: version)
        } catch  where version == 0 || version > current.version {
            // No key of this number was ever made: what names it was changed.
            throw FormatError("it names storage key \(version), which does not exist")
        }
        state.withLock { $0.known[version] = key }
        return key
    }

    /// A key that was fetched before.
    func fetched(version: UInt32) throws -> SecretBytes {
        guard let key = state.withLock({ $0.known[version] }) else {
            throw FormatError("storage key \(version) is not available")
        }
        return key
    }

    /// Makes a key current.
    func adopt(_ key: (version: UInt32, key: SecretBytes)) {
        state.withLock { state in
            state.known[key.version] = key.key
            state.current = key
        }
    }

    /// From now on nothing that is sealed under `version` may be committed.
    func retire(_ version: UInt32) { state.withLock { _ = $0.retired.insert(version) } }

    /// Forgets a destroyed key.
    func forget(_ version: UInt32) { state.withLock { $0.known[version] = nil } }

    /// Brings back a key whose destruction was refused.
    func reinstate(_ version: UInt32) { state.withLock { _ = $0.retired.remove(version) } }

    func isRetired(_ version: UInt32) -> Bool { state.withLock { $0.retired.contains(version) } }
}
