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
    /// See `Location.check`.
    var check: UInt32 = 0

    /// Where the index says that it is.
    var location: Location {
        Location(
            pack: Location.journal, offset: 0, recordBytes: UInt32(record.count), plainBytes: UInt32(plainBytes),
            encodedBytes: UInt32(encodedBytes), ordinal: 0, kind: kind, codec: codec, check: check)
    }
}

/// The journal's records in memory, and which commits brought them. Bounded: it is emptied into packs when it reaches a few
/// times the size of a commit.
///
/// The index follows within each change, so that the two cannot disagree. Lock order: journal, then index.
final class Journal: Sendable {
    private struct Entry {
        var record: JournalRecord
        /// Whose rows hold it: more than one when commits side by side brought the same content.
        var commits: [Int64]
    }

    private struct State {
        var entries: [RecordID: Entry] = [:]
        var byteCount = 0
        var next: Int64 = 1

        /// Takes a commit's claim off a record. Returns whether that was the last one.
        mutating func release(_ id: RecordID, _ commits: Set<Int64>) -> Bool {
            guard var entry = entries[id], entry.commits.contains(where: commits.contains) else { return false }
            entry.commits.removeAll(where: commits.contains)
            entries[id] = entry.commits.isEmpty ? nil : entry
            if entry.commits.isEmpty { byteCount -= entry.record.record.count }
            return entry.commits.isEmpty
        }
    }

    private let state = Mutex(State())

    /// A number for a commit; none is given twice while the store is open, so that the row of one that failed is never
    /// mistaken for another's.
    func takeNumber() -> Int64 {
        state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
    }

    /// Takes in what a commit brings.
    func add(_ commit: Int64, _ records: [JournalRecord], _ index: ChunkIndex) {
        state.withLock { state in
            state.next = max(state.next, commit + 1)
            for record in records {
                if let first = state.entries[record.id] {
                    // It is the first that is read, and the index says what is read: the other may be encoded otherwise.
                    state.entries[record.id]?.commits.append(commit)
                    index.insert(record.id, first.record.location)
                } else {
                    state.entries[record.id] = Entry(record: record, commits: [commit])
                    state.byteCount += record.record.count
                    index.insert(record.id, record.location)
                }
            }
        }
    }

    /// Forgets what a commit brought that failed after all.
    func drop(_ commit: Int64, _ records: [JournalRecord], _ index: ChunkIndex) {
        state.withLock { state in
            for record in records {
                let held = state.entries[record.id]?.record.location
                if state.release(record.id, [commit]), let held { index.remove(record.id, held) }
            }
        }
    }

    /// Forgets records that are in packs now.
    func moved(_ ids: [RecordID], from commits: Set<Int64>) {
        state.withLock { state in for id in ids { _ = state.release(id, commits) } }
    }

    func record(_ id: RecordID) -> [UInt8]? { state.withLock { $0.entries[id]?.record.record } }

    func entry(_ id: RecordID) -> JournalRecord? { state.withLock { $0.entries[id]?.record } }

    /// The commits whose rows hold a record.
    func commits(of id: RecordID) -> [Int64] { state.withLock { $0.entries[id]?.commits ?? [] } }

    /// All records, in the order of their ids.
    var all: [JournalRecord] { contents.records }

    /// All records, in the order of their ids, and the commits that brought them, at one moment.
    var contents: (records: [JournalRecord], commits: Set<Int64>) {
        state.withLock { state in
            let entries = state.entries.values.sorted { $0.record.id < $1.record.id }
            return (entries.map(\.record), Set(entries.flatMap(\.commits)))
        }
    }

    var byteCount: Int { state.withLock { $0.byteCount } }
}
