import Catalog

/// The part of a commit that concerns packs: what it wrote becomes known, what it relies on is kept from collection.
enum CommitPacks {
    /// Writes what a flush found out about packs.
    static func register(_ durables: [PackWriter.Durable], epoch: Int64, now: Int64, _ transaction: Transaction) throws
    {
        for pack in durables {
            try transaction.execute(
                """
                INSERT INTO store_packs (number, name, class, state, length, records, frames, last_frame_offset,
                    last_frame_bytes, plain_bytes, storage_key, last_ref_epoch, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (number) DO UPDATE SET state = excluded.state, length = excluded.length,
                    records = excluded.records, frames = excluded.frames,
                    last_frame_offset = excluded.last_frame_offset, last_frame_bytes = excluded.last_frame_bytes,
                    plain_bytes = excluded.plain_bytes
                WHERE store_packs.state = 0 AND store_packs.length <= excluded.length
                """,
                Int64(pack.number), pack.name, Int64(pack.packClass.rawValue), pack.isSealed ? 1 : 0, pack.length,
                pack.records, pack.frames, pack.lastFrameOffset, pack.lastFrameBytes, pack.plainBytes,
                pack.storageKeyVersion, epoch, now)
            try transaction.execute(
                "UPDATE store_state SET value = ? WHERE name = 'next_pack' AND value <= ?", Int64(pack.number) + 1,
                Int64(pack.number))
        }
    }

    /// Stamps every pack that a version relies on; one on its way out is kept. Returns those that were.
    static func rely(on packs: Set<UInt32>, epoch: Int64, _ transaction: Transaction) throws -> [UInt32] {
        var resurrected: [UInt32] = []
        for number in packs {
            guard let row = try transaction.row("SELECT state FROM store_packs WHERE number = ?", Int64(number)) else {
                throw StoreError(.leaseExpired, "content that this ingest relied on was never completed; begin again")
            }
            let state = try row.int("state")
            if state == PackInfo.State.deleted.rawValue {
                throw StoreError(.leaseExpired, "content that this ingest relied on was collected; begin again")
            }
            if state == PackInfo.State.condemned.rawValue { resurrected.append(number) }
            try transaction.execute(
                """
                UPDATE store_packs SET last_ref_epoch = ?, state = CASE WHEN state = 2 THEN 1 ELSE state END,
                    condemned_epoch = NULL WHERE number = ?
                """, epoch, Int64(number))
        }
        return resurrected
    }
}
