import Catalog

/// The records of one small commit as one row of the database: their bytes one after the other, which are sealed already,
/// and beside them the list of what they are, sealed under the storage key.
///
/// The list: format 2, count, and for each record 16 bytes of id, kind, codec, length of the plaintext, of the encoded
/// payload and of the record, the payload's check, and the ids that it refers to with their count in front. Integers are
/// LEB128. Format 1 had no checks.
struct JournalRow: Sendable {
    let commit: Int64
    let records: [JournalRecord]
    private let body: [UInt8]
    /// The sealed list.
    let contents: [UInt8]

    /// Seals what a commit brings.
    init(_ commit: Int64, _ records: [JournalRecord], _ ring: StorageKeyRing) throws {
        self.commit = commit
        self.records = records
        var body: [UInt8] = []
        body.reserveCapacity(records.reduce(0) { $0 + $1.record.count })
        var list = CanonicalWriter()
        list.byte(2)
        list.integer(records.count)
        for record in records {
            body += record.record
            list.raw(record.id.bytes)
            list.byte(record.kind.rawValue)
            list.byte(record.codec.rawValue)
            for count in [
                record.plainBytes, record.encodedBytes, record.record.count, Int(record.check), record.reach.count,
            ] {
                list.integer(count)
            }
            for id in record.reach { list.raw(id.bytes) }
        }
        self.body = body
        let key = ring.current
        contents = try SealedEnvelope.seal(
            list.bytes, type: .commit, version: key.version, key: key.key, name: Self.name(commit))
    }

    /// A row that was stored. Throws `FormatError` when it is not as it was.
    init(_ row: Row, _ ring: StorageKeyRing) throws {
        commit = try row.natural("commit_number")
        body = try row.bytes("records")
        contents = try row.bytes("contents")
        let key = try ring.fetched(version: try SealedEnvelope.version(of: contents))
        var list = CanonicalReader(
            try SealedEnvelope.open(contents, type: .commit, key: key, name: Self.name(commit)))
        var rest = CanonicalReader(body)
        let format = try list.byte()
        guard (1...2).contains(format) else { throw FormatError("a commit has an unknown format") }
        records = try (0..<(try list.count(limit: list.remaining))).map { _ in
            try Self.record(&list, &rest, hasCheck: format > 1)
        }
        try list.end()
        try rest.end()
    }

    private static func record(
        _ list: inout CanonicalReader, _ body: inout CanonicalReader, hasCheck: Bool
    ) throws -> JournalRecord {
        let id = try list.raw(RecordID.byteCount).withUnsafeBytes { RecordID($0) }
        guard let kind = RecordKind(rawValue: try list.byte()), let codec = RecordCodec(rawValue: try list.byte())
        else { throw FormatError("a commit holds an unknown kind of record") }
        let (plain, encoded) = (try list.count(limit: 16 << 20), try list.count(limit: 16 << 20))
        let record = try body.raw(try list.count(limit: body.remaining))
        let check = hasCheck ? try list.count(limit: Int(UInt32.max)) : 0
        let reach = try (0..<(try list.count(limit: list.remaining / RecordID.byteCount))).map { _ in
            try list.raw(RecordID.byteCount).withUnsafeBytes { RecordID($0) }
        }
        return JournalRecord(
            id: id, kind: kind, codec: codec, plainBytes: plain, encodedBytes: encoded, reach: reach, record: record,
            check: UInt32(check))
    }

    func insert(_ transaction: Transaction) throws {
        try transaction.execute(
            "INSERT INTO store_commits (commit_number, records, contents) VALUES (?, ?, ?)", commit, body, contents)
    }

    /// Whether the row of a commit is there.
    static func isStored(_ commit: Int64, _ transaction: Transaction) throws -> Bool {
        try transaction.row("SELECT commit_number FROM store_commits WHERE commit_number = ?", commit) != nil
    }

    private static func name(_ commit: Int64) -> [UInt8] { Array("commit/\(commit)".utf8) }
}
