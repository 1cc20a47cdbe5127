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
        guard let first = UInt32(exactly: next) else {
            throw FormatError("the store's table of numbers says that the next pack is number \(next)")
        }
        packs.table.reserve(below: first)
        var names: Set<String> = []
        for row in rows {
            let info = try Self.info(row)
            packs.table.set(info)
            packs.table.reserve(below: info.number + 1)
            names.insert(info.name)
        }
        // A pack that no commit named belongs to an ingest that a crash ended. One whose row says that it is deleted is left to
        // the next collection, which first makes sure that nothing needs it. A stranger beside one that is missing may be
        // that one, under a row that is damaged.
        let found = Set(try packs.backend.list())
        let isMissing = packs.table.all.contains { $0.state != .deleted && !found.contains($0.name) }
        for name in found where !keepsStrangers && !isMissing && !names.contains(name) {
            try packs.backend.delete(name)
        }
        for row in rows {
            let info = try Self.info(row)
            if info.state == .open { try resume(info, row) }
        }
        try fillIndex()
        for row in damage {
            let (record, pack) = (try row.bytes("record"), try row.int64("pack"))
            guard record.count == RecordID.byteCount,
                let location = try packs.index.lookup(
                    record.withUnsafeBytes { RecordID($0) }, accept: { Int64($0.pack) == pack })
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
        // A commit registers an open pack where an index frame ends. Where it says otherwise its row is damaged, and cutting
        // would take what was acknowledged.
        guard info.lastFrameOffset + info.lastFrameBytes == info.length || info.records == 0 else {
            packs.table.update(info.number) { $0.state = .sealed }
            return
        }
        if length > Int64(info.length) { try packs.backend.truncate(info.name, to: Int64(info.length)) }
        let version = UInt32(info.storageKeyVersion)
        let writer = try PackWriter(
            number: info.number, id: id, packClass: info.packClass, limit: packs.limit(info.packClass),
            storageKey: (version, try ring.fetched(version: version)), backend: packs.backend, durable: info.length,
            records: UInt32(info.records), frames: try row.integer("frames"),
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

    /// A pack as its row describes it. Throws `StoreError` when the row is damaged.
    static func info(_ row: Row) throws -> PackInfo {
        try DamagedRow.naming("a row of the table of packs (store_packs), \(row["name"])") { try readInfo(row) }
    }

    private static func readInfo(_ row: Row) throws -> PackInfo {
        let number: UInt32 = try row.integer("number")
        guard let packClass = PackClass(rawValue: try row.integer("class")),
            let state = PackInfo.State(rawValue: try row.int("state")), number < Location.journal
        else { throw FormatError("the table of packs holds an unknown class, state or number of pack \(number)") }
        // All of them fit the four bytes that they have in packs.
        func count(_ column: String) throws -> Int { Int(try row.integer(column, as: UInt32.self)) }
        return PackInfo(
            number: number, name: try row.string("name"), packClass: packClass, state: state,
            isRegistered: true, length: try count("length"), registeredLength: try count("length"),
            records: try count("records"), lastFrameOffset: try count("last_frame_offset"),
            lastFrameBytes: try count("last_frame_bytes"), plainBytes: Int(try row.natural("plain_bytes")),
            storageKeyVersion: try count("storage_key"), wrappedKey: try row.optionalBytes("pack_key"))
    }
}
