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
    private struct State {
        var records: [RecordID: JournalRecord] = [:]
        var byteCount = 0

        mutating func set(_ id: RecordID, _ record: JournalRecord?) {
            byteCount += (record?.record.count ?? 0) - (records[id]?.record.count ?? 0)
            records[id] = record
        }
    }

    private let state = Mutex(State())

    func add(_ new: [JournalRecord]) { state.withLock { state in for record in new { state.set(record.id, record) } } }

    func record(_ id: RecordID) -> [UInt8]? { state.withLock { $0.records[id]?.record } }

    func entry(_ id: RecordID) -> JournalRecord? { state.withLock { $0.records[id] } }

    func remove(_ ids: [RecordID]) { state.withLock { state in for id in ids { state.set(id, nil) } } }

    /// All records, in the order of their ids.
    var all: [JournalRecord] { state.withLock { $0.records.values.sorted { $0.id < $1.id } } }

    var byteCount: Int { state.withLock { $0.byteCount } }
}
