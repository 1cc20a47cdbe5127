import Catalog
import Cryptography
import Foundation

extension KeyHierarchy {
    /// Makes a new storage key current. What the old one sealed stays readable until it is destroyed; the store seals its
    /// pack keys anew. Throws `conflict` while another rotation runs.
    public func rotateStorageKey() async throws -> StorageKey {
        try await rotateInstanceKey(.storage)
        return try await storageKey()
    }

    /// Makes a new service key current: secrets kept from now on are sealed under it, older ones stay readable.
    public func rotateServiceKey() async throws -> UInt32 {
        try await rotateInstanceKey(.service)
        return try unsealed().keys.current(.service).version
    }

    /// Makes a new signing key current. What the old ones signed stays valid.
    public func rotateSigningKey() async throws -> UInt32 {
        try await rotateInstanceKey(.signing)
        return try unsealed().signing.current
    }

    /// Destroys a storage key. The store must have sealed everything anew before: what is still under it is lost.
    ///
    /// Throws `conflict` for the current key.
    public func destroyStorageKey(version: UInt32) async throws {
        try await destroyInstanceKey(.storage, "The storage key", version) { _, _ in }
    }

    /// Destroys a version that `check` has no objection to; nothing happens to the others.
    func destroyInstanceKey(
        _ kind: InstanceKeys.Kind, _ what: String, _ version: UInt32,
        check: @escaping @Sendable (Unsealed, Transaction) throws -> Void
    ) async throws {
        try await exclusively {
            let state = try unsealed()
            try await catalog.write { transaction in
                let row = try transaction.row(
                    "SELECT state FROM key_instance WHERE kind = ? AND version = ?", kind.rawValue, version)
                try Self.checkDestroyable(row, what, version)
                try check(state, transaction)
                try transaction.execute(
                    "UPDATE key_instance SET state = 'destroyed', sealed = ? WHERE kind = ? AND version = ?",
                    [UInt8](), kind.rawValue, version)
                try state.records.note(
                    kind: "instance", scope: kind.rawValue, id: "\(version)", action: "destroy", transaction)
            }
            try await reloadInstanceKeys(state.root)
        }
    }

    /// Versions of the storage key that are not destroyed, oldest first.
    public func storageKeyVersions() async throws -> [UInt32] {
        try await catalog.read { transaction in
            try transaction.rows(
                "SELECT version FROM key_instance WHERE kind = 'storage' AND state <> 'destroyed' ORDER BY version"
            ).map { try $0.integer("version", as: UInt32.self) }
        }
    }

    func rotateInstanceKey(_ kind: InstanceKeys.Kind) async throws {
        try await exclusively {
            let state = try unsealed()
            let at = now()
            try await catalog.write { transaction in
                var keys = try InstanceKeys.load(state.root, at, transaction)
                try keys.add(kind, state.root, at, transaction)
                try state.records.note(
                    kind: "instance", scope: kind.rawValue, id: "\(try keys.current(kind).version)", action: "rotate",
                    transaction)
            }
            try await reloadInstanceKeys(state.root)
        }
    }

    /// Takes the keys from the rows once the commit stands: a key that a failed commit made must never seal anything.
    private func reloadInstanceKeys(_ root: RootKey) async throws {
        let at = now()
        let keys = try await catalog.write { try InstanceKeys.load(root, at, $0) }
        try replace(root, keys)
    }
}
