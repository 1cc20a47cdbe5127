import Catalog
import Cryptography

/// What a rotation of the storage key did.
public struct StorageKeyReport: Sendable, Hashable {
    /// The storage key that is current.
    public var version: UInt32 = 0
    /// Packs whose key was sealed anew.
    public var packs = 0
    /// Versions whose summary was sealed anew.
    public var versions = 0
    /// Older storage keys that nothing is sealed under any more, and that were destroyed.
    public var destroyed: [UInt32] = []
}

extension ArtifactStore {
    /// Rows that one transaction seals anew: bounds how long other writers wait.
    private static let rewrapBatch = 500

    /// Makes a new storage key current and seals under it what the older ones sealed: a key for each pack's index, and what
    /// lists show of each version. No pack is rewritten. Ingest, reading and collection go on meanwhile.
    ///
    /// - Parameter destroyingOld: destroy the older storage keys when nothing is left under them.
    /// - Throws: `StoreError` with `.conflict` while another rotation runs. A crash in between loses nothing; calling
    ///   ``rewrapStorageKeys(destroyingOld:)``, or rotating again, finishes.
    public func rotateStorageKey(destroyingOld: Bool = false) async throws -> StorageKeyReport {
        guard rotationGate.enter() else { throw StoreError(.conflict, "a rotation is under way already") }
        defer { rotationGate.leave() }
        storageKeys.adopt(try await keys.rotateStorageKey())
        return try await rewrap(destroyingOld: destroyingOld)
    }

    /// Seals under the current storage key what older ones sealed; finishes what a crash interrupted.
    public func rewrapStorageKeys(destroyingOld: Bool = false) async throws -> StorageKeyReport {
        guard rotationGate.enter() else { throw StoreError(.conflict, "a rotation is under way already") }
        defer { rotationGate.leave() }
        return try await rewrap(destroyingOld: destroyingOld)
    }

    private func rewrap(destroyingOld: Bool) async throws -> StorageKeyReport {
        var report = StorageKeyReport()
        let current = storageKeys.current
        report.version = current.version
        // Packs under way belong to an older key: they end here, and what follows goes into packs of the new one.
        try await pool.run { [packs] in try packs.sealOpenPacks(olderThan: current.version) }
        try await settle()
        report.packs = try await rewrapPacks(current)
        report.versions = try await rewrapSummaries(current)
        try await rewrapStatements(current)
        guard destroyingOld else { return report }
        for version in try await keys.storageKeyVersions() where version < current.version {
            try await destroy(version)
            report.destroyed.append(version)
        }
        return report
    }

    private func rewrapPacks(_ current: (version: UInt32, key: SecretBytes)) async throws -> Int {
        var total = 0
        while true {
            let rows = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT * FROM store_packs WHERE storage_key < ? AND state IN (1, 2) ORDER BY number LIMIT ?",
                    current.version, Self.rewrapBatch)
            }
            if rows.isEmpty { return total }
            var wraps: [(info: PackInfo, wrapped: [UInt8])] = []
            for row in rows {
                let info = try Recovery.info(row)
                let key = try await storageKeys.key(version: UInt32(info.storageKeyVersion))
                wraps.append((info, try Self.wrap(info, old: key, current)))
            }
            let batch = wraps
            try await catalog.write { transaction in
                for (info, wrapped) in batch {
                    try transaction.execute(
                        "UPDATE store_packs SET storage_key = ?, pack_key = ? WHERE number = ? AND storage_key = ?",
                        current.version, wrapped, Int64(info.number), info.storageKeyVersion)
                }
            }
            for (info, wrapped) in batch {
                packs.table.update(info.number) { info in
                    info.storageKeyVersion = Int(current.version)
                    info.wrappedKey = wrapped
                }
            }
            total += batch.count
        }
    }

    private static func wrap(
        _ info: PackInfo, old: SecretBytes, _ current: (version: UInt32, key: SecretBytes)
    ) throws -> [UInt8] {
        guard let id = Hex.decode(info.name) else { throw StoreError.integrity("pack \(info.name) has an odd name") }
        do {
            let key =
                try info.wrappedKey.map { try PackKey.open($0, pack: id, key: old) }
                ?? PackKey.derive(pack: id, key: old)
            return try PackKey.seal(key, pack: id, key: current)
        } catch let error as FormatError {
            throw StoreError.integrity("pack \(info.name): \(error)")
        }
    }

    private func rewrapSummaries(_ current: (version: UInt32, key: SecretBytes)) async throws -> Int {
        var total = 0
        var last = ""
        while true {
            let after = last
            let rows = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT id, summary FROM store_versions WHERE id > ? ORDER BY id LIMIT ?", after, Self.rewrapBatch)
            }
            guard let end = rows.last else { return total }
            last = try end.string("id")
            var changes: [(id: VersionID, old: [UInt8], new: [UInt8], contentKey: [UInt8])] = []
            for row in rows {
                let (id, old) = (try VersionRow.id(row), try row.bytes("summary"))
                guard try SealedEnvelope.version(of: old) < current.version else { continue }
                let digest = try await contentID(id, old)
                changes.append(
                    (
                        id, old, try VersionSummary.seal(digest, version: id, key: current),
                        contentKey(digest, current.key)
                    ))
            }
            if changes.isEmpty { continue }
            let batch = changes
            try await catalog.write { transaction in
                for change in batch {
                    try transaction.execute(
                        "UPDATE store_versions SET summary = ?, content_key = ? WHERE id = ? AND summary = ?",
                        change.new, change.contentKey, change.id.rawValue, change.old)
                }
            }
            total += batch.count
        }
    }

    private func rewrapStatements(_ current: (version: UInt32, key: SecretBytes)) async throws {
        var last: Int64 = 0
        while true {
            let after = last
            let rows = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT sequence, statement FROM store_log WHERE sequence > ? ORDER BY sequence LIMIT ?", after,
                    Self.rewrapBatch)
            }
            guard let end = rows.last else { return }
            last = try end.int64("sequence")
            var changes: [(sequence: Int64, new: [UInt8])] = []
            for row in rows {
                let (sequence, sealed) = (try row.int64("sequence"), try row.bytes("statement"))
                guard try SealedEnvelope.version(of: sealed) < current.version else { continue }
                let plain = try versionLog.statement(row).plain
                changes.append(
                    (
                        sequence,
                        try SealedEnvelope.seal(
                            plain, type: .statement, version: current.version, key: current.key,
                            name: VersionLog.name(sequence))
                    ))
            }
            if changes.isEmpty { continue }
            let batch = changes
            try await catalog.write { transaction in
                for change in batch {
                    try transaction.execute(
                        "UPDATE store_log SET statement = ? WHERE sequence = ?", change.new, change.sequence)
                }
            }
        }
    }

    private func contentID(_ id: VersionID, _ summary: [UInt8]) async throws -> SHA256Digest {
        do {
            let key = try await storageKeys.key(version: try SealedEnvelope.version(of: summary))
            return try VersionSummary.open(summary, version: id, key: key)
        } catch let error as FormatError {
            throw StoreError.integrity("version \(id): \(error)")
        }
    }

    /// Destroys an older storage key after making sure that nothing is sealed under it, and that nothing will be.
    private func destroy(_ version: UInt32) async throws {
        do {
            let uses = try await usesAfterRetiring(version)
            let unregistered = packs.table.all.filter {
                $0.state != .deleted && $0.storageKeyVersion == Int(version)
            }
            guard uses == 0, unregistered.isEmpty else {
                throw StoreError(
                    .conflict,
                    "\(uses + unregistered.count) things are still sealed under storage key \(version); try again")
            }
            try await keys.destroyStorageKey(version: version)
        } catch {
            storageKeys.reinstate(version)
            throw error
        }
        storageKeys.forget(version)
    }

    private func usesAfterRetiring(_ version: UInt32) async throws -> Int {
        try await catalog.write { [storageKeys] transaction -> Int in
            // Publications that were prepared under this key are refused from here on: they begin again.
            storageKeys.retire(version)
            let marker = withUnsafeBytes(of: version.bigEndian) { Array($0) }
            var uses = 0
            for (table, column) in [
                ("store_versions", "summary"), ("store_commits", "contents"), ("store_log", "statement"),
            ] {
                uses +=
                    try transaction.row(
                        "SELECT COUNT(*) AS n FROM \(table) WHERE substr(\(column), 9, 4) = ?", marker)?.int("n") ?? 0
            }
            return uses
                + (try transaction.row(
                    "SELECT COUNT(*) AS n FROM store_packs WHERE storage_key = ? AND state < 3", version)?.int("n") ?? 0)
        }
    }
}
