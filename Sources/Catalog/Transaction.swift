import GRDB

/// One transaction, valid only inside the closure that received it.
public struct Transaction {
    let database: Database
    private let isWrite: Bool

    init(database: Database, isWrite: Bool = false) {
        self.database = database
        self.isWrite = isWrite
    }

    /// All rows of a query.
    public func rows(_ sql: String, _ arguments: (any SQLConvertible)?...) throws -> [Row] {
        var result: [Row] = []
        try each(try prepare(sql, arguments)) { result.append($0) }
        return result
    }

    /// The first row of a query, if there is one.
    public func row(_ sql: String, _ arguments: (any SQLConvertible)?...) throws -> Row? {
        let running = try prepare(sql, arguments)
        defer { running.end() }
        return try running.step() ? Row(columns: running.columns, values: running.values) : nil
    }

    /// Hands the rows of a query to `body` one at a time, without holding them all in memory.
    public func forEach(_ sql: String, _ arguments: (any SQLConvertible)?..., body: (Row) throws -> Void) throws {
        // A statement of its own: `body` may run the same query again while this one is under way.
        try each(try prepare(sql, arguments, cached: false), body)
    }

    /// Runs a statement. Returns the number of rows it inserted, changed or deleted.
    @discardableResult
    public func execute(_ sql: String, _ arguments: (any SQLConvertible)?...) throws -> Int {
        let running = try prepare(sql, arguments)
        defer { running.end() }
        let before = database.totalChangesCount
        try running.finish()
        return database.totalChangesCount - before
    }

    /// Begins the transaction. Nothing observes transactions, so GRDB need not be told of it.
    func begin() throws { try control("BEGIN IMMEDIATE TRANSACTION") }

    /// Ends the transaction. Returns once its effect is on disk.
    func commit() throws { try control("COMMIT TRANSACTION") }

    private func control(_ sql: String) throws {
        let running = try start(sql, [])
        defer { running.end() }
        try running.finish()
    }

    private func each(_ running: RunningStatement, _ body: (Row) throws -> Void) throws {
        defer { running.end() }
        var columns: ColumnNames?
        while try running.step() {
            let names = columns ?? running.columns
            columns = names
            try body(Row(columns: names, values: running.values))
        }
    }

    private func prepare(_ sql: String, _ arguments: [(any SQLConvertible)?], cached: Bool = true) throws
        -> RunningStatement
    {
        // Some failures, such as a full disk, make SQLite roll back: what follows must not run, each statement for itself.
        guard !isWrite || database.isInsideTransaction else {
            throw CatalogError(.other, "the transaction was rolled back after a failure")
        }
        return try start(sql, arguments, cached: cached)
    }

    private func start(_ sql: String, _ arguments: [(any SQLConvertible)?], cached: Bool = true) throws
        -> RunningStatement
    {
        guard let connection = database.sqliteConnection else {
            throw CatalogError(.closed, "the database has been closed")
        }
        do {
            let statement = try cached ? database.cachedStatement(sql: sql) : database.makeStatement(sql: sql)
            return try RunningStatement(statement, connection, arguments)
        } catch {
            throw CatalogError.wrap(error)
        }
    }
}
