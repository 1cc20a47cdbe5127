import Foundation
import GRDB
import GRDBSQLite

/// One execution of a prepared statement, with SQLite's own functions.
///
/// GRDB opens connections, schedules access to them and keeps prepared statements. Running those its way boxes every value,
/// copies every blob twice and asks for observers, which nobody here is: that took longer than SQLite itself.
struct RunningStatement {
    private let statement: Statement
    private let handle: OpaquePointer
    private let connection: OpaquePointer

    /// Has SQLite copy what is bound.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    /// Binds the arguments. `end` must follow, whatever happens in between.
    init(_ statement: Statement, _ connection: OpaquePointer, _ arguments: [(any SQLConvertible)?]) throws {
        self.statement = statement
        self.connection = connection
        handle = statement.sqliteStatement
        let expected = Int(sqlite3_bind_parameter_count(handle))
        guard arguments.count == expected else {
            throw CatalogError(
                .mismatch, "a statement with \(expected) placeholders was given \(arguments.count) arguments")
        }
        do {
            for index in arguments.indices { try bind(arguments[index]?.sqlValue ?? .null, at: Int32(index + 1)) }
        } catch {
            end()
            throw error
        }
    }

    private func bind(_ value: SQLValue, at position: Int32) throws {
        let code: Int32
        switch value {
        case .null: code = sqlite3_bind_null(handle, position)
        case .integer(let value): code = sqlite3_bind_int64(handle, position, value)
        case .real(let value): code = sqlite3_bind_double(handle, position, value)
        case .text(var value):
            code = try value.withUTF8 { text in
                // Without an address SQLite would bind NULL.
                guard let start = text.baseAddress, !text.isEmpty else {
                    return sqlite3_bind_text(handle, position, "", 0, Self.transient)
                }
                // PostgreSQL has no such text and SQLite's C strings would end there: refuse rather than truncate.
                guard memchr(start, 0, text.count) == nil else {
                    throw CatalogError(.mismatch, "text for the database may not contain the character NUL")
                }
                return start.withMemoryRebound(to: CChar.self, capacity: text.count) {
                    sqlite3_bind_text(handle, position, $0, Int32(text.count), Self.transient)
                }
            }
        case .blob(let value):
            code = value.withUnsafeBytes { bytes in
                // The same holds here.
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, position, 0)
                    : sqlite3_bind_blob64(handle, position, bytes.baseAddress, UInt64(bytes.count), Self.transient)
            }
        }
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Goes on to the next row. Returns false at the end.
    func step() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        guard code == SQLITE_DONE else { throw failure(code) }
        return false
    }

    /// Runs to the end, whatever rows there are.
    func finish() throws { while try step() {} }

    /// The names of the columns.
    var columns: ColumnNames {
        ColumnNames(
            (0..<sqlite3_column_count(handle)).map { index in
                sqlite3_column_name(handle, index).map { String(cString: $0) } ?? ""
            }, of: sqlite3_sql(handle).map { String(cString: $0) } ?? "")
    }

    /// The values of the row under way.
    var values: [SQLValue] { (0..<sqlite3_column_count(handle)).map { value(at: $0) } }

    private func value(at index: Int32) -> SQLValue {
        switch sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, index))
        case SQLITE_TEXT:
            let text = UnsafeBufferPointer(
                start: sqlite3_column_text(handle, index), count: Int(sqlite3_column_bytes(handle, index)))
            return .text(String(decoding: text, as: UTF8.self))
        case SQLITE_BLOB:
            let bytes = UnsafeRawBufferPointer(
                start: sqlite3_column_blob(handle, index), count: Int(sqlite3_column_bytes(handle, index)))
            return .blob(Array(bytes))
        default: return .null
        }
    }

    /// Ends the execution: locks go, and so does what was bound.
    func end() {
        // What this repeats is the code of the step before, which was thrown already.
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    private func failure(_ code: Int32) -> any Error {
        // Only the cancellation of the task that reads interrupts a statement.
        if code & 0xFF == SQLITE_INTERRUPT { return CancellationError() }
        return CatalogError.wrap(
            DatabaseError(
                resultCode: ResultCode(rawValue: code), message: sqlite3_errmsg(connection).map { String(cString: $0) })
        )
    }
}
