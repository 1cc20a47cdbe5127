import Catalog
import Synchronization

/// Lets one at a time do something.
final class Gate: Sendable {
    private let busy = Mutex(false)

    func enter() -> Bool {
        busy.withLock { busy in
            defer { busy = true }
            return !busy
        }
    }

    func leave() { busy.withLock { $0 = false } }
}

extension ArtifactStore {
    /// The journal is emptied into packs when its records reach this many times the size of a small commit.
    private static let journalCommits = 16

    /// Moves the journal's records into packs, if there are enough of them.
    func moveJournal(force: Bool = false) async throws {
        guard force || packs.journal.byteCount > Self.journalCommits * configuration.inlineCommitBytes,
            journalGate.enter()
        else { return }
        defer { journalGate.leave() }
        let (records, commits) = packs.journal.contents
        if records.isEmpty { return }
        let moved = try await pool.run { [packs] in try Self.copy(records, to: packs) }
        let touched = Set(moved.map(\.location.pack)).union(packs.unregisteredSealed)
        let durables = try await flushes.flush(touched)
        let time = now().milliseconds
        try await catalog.write { [packs] transaction in
            let epoch = try transaction.storeState("epoch")
            try CommitPacks.register(durables, epoch: epoch, now: time, transaction)
            _ = try CommitPacks.rely(on: Set(moved.map(\.location.pack)), epoch: epoch, transaction)
            for commit in commits {
                try transaction.execute("DELETE FROM store_commits WHERE commit_number = ?", commit)
            }
            // Within the transaction, so that a commit that comes next finds the record where it will be.
            for entry in moved { packs.index.insert(entry.id, entry.location) }
        }
        packs.registered(durables)
        packs.journal.moved(records.map(\.id), from: commits)
    }

    private static func copy(_ records: [JournalRecord], to packs: PackStore) throws -> [PackEntry] {
        try records.map { record in
            let location = try record.record.withUnsafeBytes {
                try packs.append(
                    $0, id: record.id, kind: record.kind, codec: record.codec, plainBytes: record.plainBytes,
                    encodedBytes: record.encodedBytes, check: record.check, reach: record.reach)
            }
            return PackEntry(id: record.id, location: location, reach: record.reach)
        }
    }
}
