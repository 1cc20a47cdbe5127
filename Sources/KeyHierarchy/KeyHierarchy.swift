public import Catalog
import Cryptography
public import Foundation
import Synchronization

/// The key hierarchy: root key → domain keyrings → KMS backing keys → data keys.
///
/// Everything at rest is sealed under the level above; every seal commits to its key and to what it is for. While the root
/// is sealed every operation throws `KeyError` with the code `sealed`. Hot calls run from memory and need no SQL.
public final class KeyHierarchy: Sendable {
    let catalog: Catalog
    let location: RootLocation
    let now: @Sendable () -> Date
    let caches = Mutex(KeyCaches())
    let usage = Mutex(KeyUsage())
    private let opened = Mutex<Unsealed?>(nil)
    /// Shared by what was opened before and after a rotation.
    private let codeKeys = CodeKeys()
    private let pendingRecovery = Mutex<String?>(nil)
    /// Set when no record's code is under an older row key any more.
    let recordsAreCurrent = Mutex(false)
    /// Held while a key of the instance is added or destroyed, so that what is in memory follows the rows in order.
    let isRotating = Mutex(false)

    init(catalog: Catalog, location: RootLocation, now: @escaping @Sendable () -> Date) {
        self.catalog = catalog
        self.location = location
        self.now = now
    }

    /// Makes the root of a new instance, with an unattended slot and a recovery slot, and opens the hierarchy.
    ///
    /// Throws `RootError.alreadyInitialised` when there is a root. `takeRecoveryPassphrase` hands out the recovery
    /// passphrase once; losing all slots loses all data.
    public static func create(
        catalog: Catalog, root: RootLocation, now: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> KeyHierarchy {
        let hierarchy = KeyHierarchy(catalog: catalog, location: root, now: now)
        let (key, recovery) = try await offPool { try Root.initialise(root) }
        hierarchy.pendingRecovery.withLock { $0 = recovery }
        try await hierarchy.use(key)
        return hierarchy
    }

    /// Opens an instance's hierarchy with its unattended slots; sealed when none of them opens.
    ///
    /// Throws `RootError` when the root file or a key file must not be used.
    public static func open(
        catalog: Catalog, root: RootLocation, now: @escaping @Sendable () -> Date = { Date() }
    ) async throws -> KeyHierarchy {
        let hierarchy = KeyHierarchy(catalog: catalog, location: root, now: now)
        do {
            try await hierarchy.use(try await offPool { try Root.unsealUnattended(root) })
        } catch RootError.sealed {
            // A passphrase is needed: the hierarchy stays sealed until `unseal`.
        }
        return hierarchy
    }

    /// Whether operations wait for a passphrase.
    public var isSealed: Bool { opened.withLock { $0 == nil } }

    /// Opens the root with a passphrase. Throws `RootError.wrongPassphrase`.
    public func unseal(passphrase: String) async throws {  // tidy: typed by people
        let location = location
        try await use(try await offPool { try Root.unseal(location, passphrase: passphrase) })
    }

    /// Grows whenever anything changes that decides about the use of keys: keys, their states and policies, aliases, grants.
    /// What was decided at one count holds while the count is the same.
    public var changeCount: UInt64 { caches.withLock { $0.epoch } }

    /// Forgets every key. Operations fail with `sealed` until `unseal`.
    public func seal() {
        opened.withLock { $0 = nil }
        codeKeys.forget()
        caches.withLock { $0 = KeyCaches(after: $0) }
    }

    /// The recovery passphrase of a root made by this process, once.
    public func takeRecoveryPassphrase() -> String? {
        pendingRecovery.withLock { pending in
            defer { pending = nil }
            return pending
        }
    }

    /// What the root file says about itself.
    public func rootStatus() throws -> RootStatus { try Root.status(location) }

    /// The instance's identity, 32 hexadecimal digits.
    public func instanceID() throws -> String { Hex.encode(try unsealed().root.instance) }

    func unsealed() throws(KeyError) -> Unsealed {
        guard let state = opened.withLock({ $0 }) else {
            throw KeyError(.sealed, "The instance is sealed; unseal its root key and try again.")
        }
        return state
    }

    func use(_ root: RootKey) async throws {
        let now = now
        let keys = try await catalog.write { transaction in
            let keys = try InstanceKeys.load(root, now(), transaction)
            if root.previous != nil { try Keyring.rewrapAll(root, transaction) }
            return keys
        }
        if root.previous != nil {
            let location = location
            try await offPool {
                try Self.rewrapMark(root, location)
                try Root.finishRotation(root, location)
            }
        }
        try replace(root, keys)
    }

    /// Makes keys that are stored the ones in use.
    func replace(_ root: RootKey, _ keys: InstanceKeys) throws {
        try codeKeys.update(keys)
        let state = try Unsealed(root: root, keys: keys, codeKeys: codeKeys, now: now)
        opened.withLock { $0 = state }
    }
}

/// The opened hierarchy: immutable, replaced as a whole when instance keys or the root rotate.
final class Unsealed: Sendable {
    let root: RootKey
    let keys: InstanceKeys
    let records: KeyRecords
    let signing: SigningKeys

    init(root: RootKey, keys: InstanceKeys, codeKeys: CodeKeys, now: @escaping @Sendable () -> Date) throws {
        self.root = root
        self.keys = keys
        signing = try SigningKeys(keys)
        records = KeyRecords(codeKeys, root: root, now: now)
    }
}

/// Runs blocking work (files, key stretching) away from the cooperative pool.
func offPool<T: Sendable>(_ work: @Sendable @escaping () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
    }
}
