import Foundation
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
        try each(sql, arguments, cached: true) { result.append($0) }
        return result
    }

    /// The first row of a query, if there is one.
    public func row(_ sql: String, _ arguments: (any SQLConvertible)?...) throws -> Row? {
        let statement = try prepare(sql, arguments)
        do {
            guard let row = try GRDB.Row.fetchOne(statement) else { return nil }
            return Row(columns: ColumnNames(statement.columnNames), values: row.databaseValues.map { $0.sqlValue })
        } catch {
            throw CatalogError.wrap(error)
        }
    }

    /// Hands the rows of a query to `body` one at a time, without holding them all in memory.
    public func forEach(_ sql: String, _ arguments: (any SQLConvertible)?..., body: (Row) throws -> Void) throws {
        // A statement of its own: `body` may run the same query again while this one is under way.
        try each(sql, arguments, cached: false, body)
    }

    /// Runs a statement. Returns the number of rows it inserted, changed or deleted.
    @discardableResult
    public func execute(_ sql: String, _ arguments: (any SQLConvertible)?...) throws -> Int {
        let statement = try prepare(sql, arguments)
        do {
            let before = database.totalChangesCount
            try statement.execute()
            return database.totalChangesCount - before
        } catch {
            throw CatalogError.wrap(error)
        }
    }

    private func each(_ sql: String, _ arguments: [(any SQLConvertible)?], cached: Bool, _ body: (Row) throws -> Void)
        throws
    {
        let statement = try prepare(sql, arguments, cached: cached)
        do {
            let cursor = try GRDB.Row.fetchCursor(statement)
            let columns = ColumnNames(statement.columnNames)
            while let row = try cursor.next() {
                try body(Row(columns: columns, values: row.databaseValues.map { $0.sqlValue }))
            }
        } catch {
            throw CatalogError.wrap(error)
        }
    }

    private func prepare(_ sql: String, _ arguments: [(any SQLConvertible)?], cached: Bool = true) throws -> Statement {
        // Closures, not key paths: one that leads to a computed property is made anew at every call.
        let values = try arguments.map { argument -> DatabaseValue in
            let value = argument?.sqlValue ?? .null
            if case .text(let text) = value, text.utf8.contains(0) {
                // PostgreSQL has no such text and SQLite's C strings would end there: refuse rather than truncate.
                throw CatalogError(.mismatch, "text for the database may not contain the character NUL")
            }
            return value.databaseValue
        }
        // Some failures, such as a full disk, make SQLite roll back: what follows must not run, each statement for itself.
        guard !isWrite || database.isInsideTransaction else {
            throw CatalogError(.other, "the transaction was rolled back after a failure")
        }
        do {
            let statement = try cached ? database.cachedStatement(sql: sql) : database.makeStatement(sql: sql)
            try statement.setArguments(StatementArguments(values))
            return statement
        } catch {
            throw CatalogError.wrap(error)
        }
    }
}

extension DatabaseValue {
    fileprivate var sqlValue: SQLValue {
        switch storage {
        case .null: .null
        case .int64(let value): .integer(value)
        case .double(let value): .real(value)
        case .string(let value): .text(value)
        case .blob(let value): .blob([UInt8](value))
        }
    }
}

extension SQLValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .blob(let value): Data(value).databaseValue
        }
    }
}
