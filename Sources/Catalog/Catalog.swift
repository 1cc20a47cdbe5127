import CCofferShims
import Foundation
import GRDB
import Synchronization

/// A step of the schema. Steps run once, in the order of their names.
public struct Migration: Sendable {
    /// The step's name, for example `store-001`; it is never used twice.
    public let name: String
    /// The statements of the step, run in one transaction.
    public let statements: [String]

    /// A step of the schema.
    public init(_ name: String, _ statements: [String]) {
        self.name = name
        self.statements = statements
    }
}

/// The database: transactions and portable SQL.
///
/// Everything above speaks the subset of SQL that SQLite 3.40 and PostgreSQL 15 both accept: `?` placeholders,
/// `INSERT … ON CONFLICT … DO UPDATE`, `RETURNING`, times as `BIGINT` milliseconds. The embedded database is SQLite in
/// WAL mode with `synchronous=FULL`: a write that returned survives the loss of power.
public final class Catalog: Sendable {
    private let pool: DatabasePool
    private let queue: CommitQueue
    private let isClosed = Mutex(false)
    private let observer = Mutex<(@Sendable (WriteMoment) async throws -> Void)?>(nil)
    private let refusal = Mutex<(@Sendable () -> Bool)?>(nil)

    /// Opens or creates the database file at `path` and brings its schema up to date.
    ///
    /// Throws `CatalogError` with `.newer` when the file has steps that `migrations` does not know.
    public init(path: String, migrations: [Migration]) throws {
        var configuration = Configuration()
        configuration.label = "catalog"
        configuration.maximumReaderCount = 4
        // That of tasks: hand-overs between threads of one queue cost least.
        configuration.qos = .default
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { database in
            // Deleted rows may have held wrapped keys: their bytes must not linger in free pages.
            try database.execute(sql: "PRAGMA secure_delete = FAST")
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
        }
        // Should it fail, commits take a few more system calls.
        _ = coffer_wal_buffer_install()
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            // Only now: the pool sets NORMAL, with which commits are not flushed, when it turns the write-ahead log on.
            try pool.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA synchronous = FULL")
                // 16 MiB: what most writes touch stays in memory.
                try $0.execute(sql: "PRAGMA cache_size = -16384")
            }
            queue = CommitQueue(pool)
            try Self.migrate(pool, migrations)
        } catch {
            throw CatalogError.wrap(error)
        }
    }

    /// A place before or after a write, for tests.
    package enum WriteMoment: Sendable {
        /// Nothing has been done yet.
        case writing
        /// The write is on disk; the caller has not been told.
        case written
        /// The write was undone; the caller has not been told.
        case undone
    }

    /// Has `observer` called, in the writer's task, around every write: tests let others go first there, or end the write
    /// as a loss of power would.
    package func observe(_ observer: (@Sendable (WriteMoment) async throws -> Void)?) {
        self.observer.withLock { $0 = observer }
    }

    /// Asks `decide` whenever a write is complete but for its commit, and undoes it when told so, as a device does that
    /// fails then: for tests.
    package func refuseCommits(_ decide: (@Sendable () -> Bool)?) { refusal.withLock { $0 = decide } }

    /// Runs `body` on a consistent snapshot, beside any writers.
    public func read<T: Sendable>(_ body: @Sendable @escaping (Transaction) throws -> T) async throws -> T {
        try requireOpen()
        do {
            return try await pool.read { try body(Transaction(database: $0)) }
        } catch {
            throw CatalogError.wrap(error)
        }
    }

    /// Runs `body` in a write transaction and returns once its effect is on disk.
    ///
    /// Writes that arrive together share one commit; each is all or nothing. `body` may not wait for other writes.
    public func write<T: Sendable>(_ body: @Sendable @escaping (Transaction) throws -> T) async throws -> T {
        let observer = observer.withLock { $0 }
        try await observer?(.writing)
        guard let refuses = refusal.withLock({ $0 }) else {
            let result = try await commit(body)
            try await observer?(.written)
            return result
        }
        let result: T
        do {
            result = try await commit { transaction in
                let value = try body(transaction)
                if refuses() { throw CatalogError(.input, "the device failed") }
                return value
            }
        } catch {
            try await observer?(.undone)
            throw error
        }
        try await observer?(.written)
        return result
    }

    private func commit<T: Sendable>(_ body: @Sendable @escaping (Transaction) throws -> T) async throws -> T {
        try requireOpen()
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
            let write = Write(body)
            queue.submit(
                CommitQueue.Job(
                    run: { try write.run($0) },
                    finish: { error in
                        let value = write.end()
                        if let error {
                            continuation.resume(throwing: error)
                        } else if let value {
                            continuation.resume(returning: value)
                        } else {
                            continuation.resume(throwing: CatalogError(.other, "the write ended without a result"))
                        }
                    }))
        }
    }

    /// Empties the log into the file, so that what is left is one file, and closes it. Later reads and writes throw
    /// `CatalogError` with `.closed`; closing again does nothing.
    public func close() throws {
        // The connection must not be touched once it is closed: SQLite would follow a null pointer.
        try isClosed.withLock { isClosed in
            guard !isClosed else { return }
            do {
                try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
                try pool.close()
            } catch { throw CatalogError.wrap(error) }
            isClosed = true
        }
    }

    private func requireOpen() throws {
        guard isClosed.withLock({ !$0 }) else { throw CatalogError(.closed, "the database has been closed") }
    }

    private static func migrate(_ pool: DatabasePool, _ migrations: [Migration]) throws {
        try pool.write { database in
            try database.execute(
                sql: "CREATE TABLE IF NOT EXISTS catalog_migration (name TEXT PRIMARY KEY, applied BIGINT NOT NULL)")
        }
        let known = Set(migrations.map(\.name))
        let applied = try pool.read { Set(try String.fetchAll($0, sql: "SELECT name FROM catalog_migration")) }
        if let unknown = applied.subtracting(known).min() {
            throw CatalogError(
                .newer,
                "the database has the schema step \(unknown), which this version does not know; use a newer coffer")
        }
        for migration in migrations.sorted(by: { $0.name < $1.name }) where !applied.contains(migration.name) {
            try pool.write { database in
                for statement in migration.statements { try database.execute(sql: statement) }
                try database.execute(
                    sql: "INSERT INTO catalog_migration (name, applied) VALUES (?, ?)",
                    arguments: [migration.name, Int64(Date().timeIntervalSince1970 * 1000)])
            }
        }
    }
}

/// Carries a body to the writer's queue and its result back.
private final class Write<T: Sendable>: Sendable {
    private let state: Mutex<(body: (@Sendable (Transaction) throws -> T)?, value: T?)>

    init(_ body: @escaping @Sendable (Transaction) throws -> T) { state = Mutex((body, nil)) }

    func run(_ transaction: Transaction) throws {
        guard let body = state.withLock({ $0.body }) else { return }
        let value = try body(transaction)
        state.withLock { $0.value = value }
    }

    /// Gives back the result, if there is one, and lets go of the body: what only that held is gone before the caller goes
    /// on, however long the queue keeps the job.
    func end() -> T? {
        state.withLock { state in
            defer { state = (nil, nil) }
            return state.value
        }
    }
}
