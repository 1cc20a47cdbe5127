import Catalog

/// Small commits as stores kept them that were made before commits had a row each: a row for every record.
struct EarlierJournal: Sendable {
    let catalog: Catalog
    let ring: StorageKeyRing

    /// Brings what an earlier program left into the form of today, in one transaction.
    func convert() async throws {
        let rows = try await catalog.read { try $0.rows("SELECT * FROM store_journal") }
        if rows.isEmpty { return }
        let records: [JournalRecord]
        do {
            records = try rows.map { try Self.record($0, ring) }
        } catch let error as FormatError {
            throw Self.damaged(error)
        }
        try await catalog.write { [ring] transaction in
            let last = try transaction.row("SELECT COALESCE(MAX(commit_number), 0) AS last FROM store_commits")
            try JournalRow((try last?.natural("last") ?? 0) + 1, records, ring).insert(transaction)
            try transaction.execute("DELETE FROM store_journal")
        }
    }

    static func damaged(_ error: FormatError) -> StoreError {
        .integrity("the journal of small commits in the database is damaged: \(error)")
    }

    private static func record(_ row: Row, _ ring: StorageKeyRing) throws -> JournalRecord {
        guard let kind = RecordKind(rawValue: UInt8(clamping: try row.int64("kind"))),
            let codec = RecordCodec(rawValue: UInt8(clamping: try row.int64("codec")))
        else { throw FormatError("the journal holds an unknown kind of record") }
        let bytes = try row.bytes("id")
        guard bytes.count == RecordID.byteCount else { throw FormatError("an id has 16 bytes") }
        let id = bytes.withUnsafeBytes { RecordID($0) }
        return JournalRecord(
            id: id, kind: kind, codec: codec, plainBytes: try row.int("plain_bytes"),
            encodedBytes: try row.int("encoded_bytes"),
            reach: try row.optionalBytes("reach").map { try reach($0, of: id, ring) } ?? [],
            record: try row.bytes("record"))
    }

    private static func reach(_ sealed: [UInt8], of id: RecordID, _ ring: StorageKeyRing) throws -> [RecordID] {
        let key = try ring.fetched(version: try SealedEnvelope.version(of: sealed))
        let bytes = try SealedEnvelope.open(
            sealed, type: .reachability, key: key, name: Array("journal/".utf8) + id.bytes)
        return bytes.withUnsafeBytes { raw in
            stride(from: 0, to: raw.count - 15, by: 16).map {
                RecordID(UnsafeRawBufferPointer(rebasing: raw[$0..<$0 + 16]))
            }
        }
    }
}
