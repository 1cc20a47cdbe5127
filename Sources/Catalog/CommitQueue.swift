import GRDB
import Synchronization

/// Groups the writes that arrive while a commit is being flushed, so that they share the next one.
///
/// A commit costs one flush of the disk, several milliseconds; the work inside it costs microseconds. Each write runs
/// in a savepoint of its own, so one that fails takes nothing else with it; none is answered before the group's commit
/// is on disk.
final class CommitQueue: Sendable {
    /// One write: `run` performs it inside the transaction and keeps its result, `finish` answers the caller.
    struct Job: Sendable {
        let run: @Sendable (Transaction) throws -> Void
        let finish: @Sendable ((any Error)?) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var draining = false
    }

    /// The most writes that one commit carries: bounds the damage of one failing flush and the wait of the first.
    private static let groupCountMax = 128

    private let writer: any DatabaseWriter
    private let state = Mutex(State())

    init(_ writer: any DatabaseWriter) {
        self.writer = writer
    }

    func submit(_ job: Job) {
        let mustDrain = state.withLock { state in
            state.waiting.append(job)
            guard !state.draining else { return false }
            state.draining = true
            return true
        }
        if mustDrain { drain() }
    }

    private func drain() {
        writer.asyncWriteWithoutTransaction { database in
            while let group = self.next() { Self.commit(group, in: database) }
        }
    }

    private func next() -> [Job]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.draining = false
                return nil
            }
            let count = min(state.waiting.count, Self.groupCountMax)
            let group = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            return group
        }
    }

    private static func commit(_ group: [Job], in database: Database) {
        if group.count == 1 { return commit(group[0], in: database) }
        var outcomes: [(any Error)?] = Array(repeating: nil, count: group.count)
        do {
            try database.inTransaction(.immediate) {
                for (index, job) in group.enumerated() {
                    do {
                        try database.inSavepoint {
                            try job.run(Transaction(database: database, isWrite: true))
                            return .commit
                        }
                    } catch {
                        outcomes[index] = CatalogError.wrap(error)
                        // Some failures (a full disk) make SQLite roll back the whole transaction; nothing of the
                        // group may then be reported as done.
                        guard database.isInsideTransaction else { throw error }
                    }
                }
                return .commit
            }
        } catch {
            let wrapped = CatalogError.wrap(error)
            outcomes = outcomes.map { $0 ?? wrapped }
        }
        for (job, outcome) in zip(group, outcomes) { job.finish(outcome) }
    }

    /// A write that has no company needs no savepoint.
    private static func commit(_ job: Job, in database: Database) {
        var outcome: (any Error)?
        do {
            let transaction = Transaction(database: database, isWrite: true)
            try transaction.begin()
            try job.run(transaction)
            try transaction.commit()
        } catch {
            outcome = CatalogError.wrap(error)
            do {
                try database.rollback()
            } catch {
                // Nothing was begun, or SQLite rolled back itself: the first error says why.
            }
        }
        job.finish(outcome)
    }
}
