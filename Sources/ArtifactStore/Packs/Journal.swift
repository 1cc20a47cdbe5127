import Synchronization

/// A record of a small commit, which lives in the database until it is moved to a pack.
struct JournalRecord: Sendable {
    var id: RecordID
    var kind: RecordKind
    var codec: RecordCodec
    var plainBytes: Int
    var encodedBytes: Int
    var reach: [RecordID]
    var record: [UInt8]

    /// Where the index says that it is.
    var location: Location {
        Location(
            pack: Location.journal, offset: 0, recordBytes: UInt32(record.count), plainBytes: UInt32(plainBytes),
            encodedBytes: UInt32(encodedBytes), ordinal: 0, kind: kind, codec: codec)
    }
}

/// The journal's records in memory. Bounded: it is emptied into packs when it reaches a few times the size of a commit.
final class Journal: Sendable {
    private let records = Mutex<[RecordID: JournalRecord]>([:])

    func add(_ new: [JournalRecord]) {
        records.withLock { records in for record in new { records[record.id] = record } }
    }

    func record(_ id: RecordID) -> [UInt8]? { records.withLock { $0[id]?.record } }

    func entry(_ id: RecordID) -> JournalRecord? { records.withLock { $0[id] } }

    func remove(_ ids: [RecordID]) { records.withLock { records in for id in ids { records[id] = nil } } }

    /// All records, in the order of their ids.
    var all: [JournalRecord] { records.withLock { $0.values.sorted { $0.id < $1.id } } }

    var byteCount: Int { records.withLock { $0.values.reduce(0) { $0 + $1.record.count } } }
}
