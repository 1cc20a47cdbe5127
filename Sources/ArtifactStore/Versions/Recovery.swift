import Catalog
import Cryptography
import Foundation

/// What opening a store does: takes in the tables, cuts open packs to their durable length, removes packs that no commit
/// ever named, and reads into the index whatever its runs do not cover.
struct Recovery: Sendable {
    let catalog: Catalog
    let packs: PackStore
    let pool: WorkPool
    let ring: StorageKeyRing

    func run() async throws {
        let rows = try await catalog.read { try $0.rows("SELECT * FROM store_packs") }
        let next = try await catalog.read { try $0.storeState("next_pack") }
        let isUsed = try await catalog.read { try $0.row("SELECT value FROM store_state WHERE name = 'used'") != nil }
        try await EarlierJournal(catalog: catalog, ring: ring).convert()
        let journal = try await catalog.read { try $0.rows("SELECT * FROM store_commits ORDER BY commit_number") }
        let damage = try await catalog.read { try $0.rows("SELECT pack, record FROM store_damage") }
        let isLost = try await pool.run {
            // A database that never had a store beside packs that it does not know: they may be all that is left of
            // another database, and stay.
            let isLost = try rows.isEmpty && next <= 1 && !isUsed && !packs.backend.list().isEmpty
            try restore(rows, keepsStrangers: isLost, next: next, journal, damage)
            return isLost
        }
        if !isUsed, !isLost {
            try await catalog.write {
                _ = try $0.execute("INSERT INTO store_state (name, value) VALUES ('used', 1) ON CONFLICT DO NOTHING")
            }
        }
    }

    private func restore(
        _ rows: [Row], keepsStrangers: Bool, next: Int64, _ journal: [Row], _ damage: [Row]
    ) throws {
        packs.table.reserve(below: UInt32(next))
        var names: Set<String> = []
        for row in rows {
            let info = try Self.info(row)
            packs.table.set(info)
            packs.table.reserve(below: info.number + 1)
            if info.state != .deleted { names.insert(info.name) }
        }
        // A pack that no commit named belongs to an ingest that a crash ended; a deleted one may be left over.
        for name in try packs.backend.list() where !keepsStrangers && !names.contains(name) {
            try packs.backend.delete(name)
        }
        for row in rows {
            let info = try Self.info(row)
            if info.state == .open { try resume(info, row) }
        }
        try fillIndex()
        for row in damage {
            guard
                let location = try packs.index.lookup(
                    try row.bytes("record").withUnsafeBytes { RecordID($0) },
                    accept: { Int64($0.pack) == (try? row.int64("pack")) })
            else { continue }
            packs.table.markDamaged(location)
        }
        for row in journal {
            let found: JournalRow
            do {
                found = try JournalRow(row, ring)
            } catch let error as FormatError {
                throw EarlierJournal.damaged(error)
            }
            packs.journal.add(found.commit, found.records, packs.index)
        }
    }

    private func resume(_ info: PackInfo, _ row: Row) throws {
        guard let id = Hex.decode(info.name) else { throw FormatError("a pack has an impossible name") }
        guard let length = try packs.backend.length(info.name), length >= Int64(info.length) else {
            // Bytes that were acknowledged are gone. Reads of them say so; everything else goes on working.
            packs.table.update(info.number) { $0.state = .sealed }
            return
        }
        if length > Int64(info.length) { try packs.backend.truncate(info.name, to: Int64(info.length)) }
        let version = UInt32(info.storageKeyVersion)
        let writer = try PackWriter(
            number: info.number, id: id, packClass: info.packClass, limit: packs.limit(info.packClass),
            storageKey: (version, try ring.fetched(version: version)), backend: packs.backend, durable: info.length,
            records: UInt32(info.records), frames: UInt32(try row.int("frames")),
            lastFrame: (UInt32(info.lastFrameOffset), UInt32(info.lastFrameBytes)), plainBytes: UInt64(info.plainBytes))
        try packs.resume(writer)
    }

    private func fillIndex() throws {
        for info in packs.table.all where info.state != .deleted {
            let covered = packs.index.covered(info.number)
            if covered >= info.length { continue }
            do {
                // Newer entries win where content was stored twice.
                packs.index.insert(try packs.entries(of: info, from: covered).reversed())
            } catch is FormatError {
                // One unreadable pack must not keep the others from being served; scrubbing reports it.
                continue
            } catch let error as StoreError where error.code == .integrity {
                continue
            }
        }
    }

    static func info(_ row: Row) throws -> PackInfo {
        guard let packClass = PackClass(rawValue: UInt8(try row.int64("class"))),
            let state = PackInfo.State(rawValue: try row.int("state"))
        else { throw FormatError("the table of packs holds an unknown class or state") }
        return PackInfo(
            number: UInt32(try row.int64("number")), name: try row.string("name"), packClass: packClass, state: state,
            isRegistered: true, length: try row.int("length"), registeredLength: try row.int("length"),
            records: try row.int("records"),
            lastFrameOffset: try row.int("last_frame_offset"), lastFrameBytes: try row.int("last_frame_bytes"),
            plainBytes: try row.int("plain_bytes"), storageKeyVersion: try row.int("storage_key"),
            wrappedKey: try row.optionalBytes("pack_key"))
    }

}
