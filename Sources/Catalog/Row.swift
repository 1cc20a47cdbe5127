public import Foundation

/// One row of a result. Columns are found by name.
public struct Row: Sendable {
    let columns: ColumnNames
    let values: [SQLValue]

    /// The value of a column, or NULL when the result has no such column.
    public subscript(_ column: String) -> SQLValue {
        guard let index = columns.index(column) else { return .null }
        return values[index]
    }

    /// An integer column. Throws `CatalogError` when it is NULL or of another type.
    public func int64(_ column: String) throws -> Int64 {
        guard case .integer(let value) = self[column] else { throw mismatch(column, "an integer") }
        return value
    }

    /// An integer column as a type that cannot hold every integer. Throws `CatalogError` when it is NULL, of another type or
    /// out of range.
    public func integer<T: FixedWidthInteger>(_ column: String, as type: T.Type = T.self) throws -> T {
        let value = try int64(column)
        guard let exact = T(exactly: value) else {
            throw mismatch(column, "a number from \(T.min) to \(T.max)", found: "another number")
        }
        return exact
    }

    /// A count, a size or a running number: not below 0, and so far below the greatest integer (2^53 at most) that sums and
    /// products of a few do not overflow. Throws `CatalogError` when it is NULL, of another type or out of range.
    public func natural(_ column: String) throws -> Int64 {
        let value = try int64(column)
        guard (0...1 << 53).contains(value) else {
            throw mismatch(column, "a number from 0 to 2^53", found: "another number")
        }
        return value
    }

    /// The same of a column that may be NULL.
    public func optionalNatural(_ column: String) throws -> Int64? { try self[column] == .null ? nil : natural(column) }

    /// An integer column as `Int`. Throws `CatalogError` when it is NULL or of another type.
    public func int(_ column: String) throws -> Int { Int(try int64(column)) }

    /// A text column. Throws `CatalogError` when it is NULL or of another type.
    public func string(_ column: String) throws -> String {
        guard case .text(let value) = self[column] else { throw mismatch(column, "text") }
        return value
    }

    /// A byte column. Throws `CatalogError` when it is NULL or of another type.
    public func bytes(_ column: String) throws -> [UInt8] {
        guard case .blob(let value) = self[column] else { throw mismatch(column, "bytes") }
        return value
    }

    /// A truth value kept as 0 or 1.
    public func bool(_ column: String) throws -> Bool { try int64(column) != 0 }

    /// A floating-point column; an integer is converted.
    public func double(_ column: String) throws -> Double {
        switch self[column] {
        case .real(let value): return value
        case .integer(let value): return Double(value)
        default: throw mismatch(column, "a number")
        }
    }

    /// A time kept as milliseconds since 1970. Throws `CatalogError` when it is NULL, of another type or not within the years
    /// 1 to 9999.
    public func date(_ column: String) throws -> Date {
        let value = try int64(column)
        guard (-62_135_596_800_000...253_402_300_799_999).contains(value) else {
            throw mismatch(column, "a time", found: "a number that is none")
        }
        return Date(timeIntervalSince1970: Double(value) / 1000)
    }

    /// An integer column that may be NULL.
    public func optionalInt64(_ column: String) throws -> Int64? { try self[column] == .null ? nil : int64(column) }

    /// An integer column that may be NULL.
    public func optionalInt(_ column: String) throws -> Int? { try self[column] == .null ? nil : int(column) }

    /// A text column that may be NULL.
    public func optionalString(_ column: String) throws -> String? { try self[column] == .null ? nil : string(column) }

    /// A byte column that may be NULL.
    public func optionalBytes(_ column: String) throws -> [UInt8]? { try self[column] == .null ? nil : bytes(column) }

    /// A time that may be NULL.
    public func optionalDate(_ column: String) throws -> Date? { try self[column] == .null ? nil : date(column) }

    private func mismatch(_ column: String, _ expected: String) -> CatalogError {
        let found: String
        switch self[column] {
        case .null: found = columns.index(column) == nil ? "no such column" : "NULL"
        case .integer: found = "an integer"
        case .real: found = "a number"
        case .text: found = "text"
        case .blob: found = "bytes"
        }
        return mismatch(column, expected, found: found)
    }

    private func mismatch(_ column: String, _ expected: String, found: String) -> CatalogError {
        let table = columns.table.map { " of \($0)" } ?? ""
        return CatalogError(.mismatch, "column \(column)\(table) should hold \(expected) and holds \(found)")
    }
}

/// Column names of one result, shared by all of its rows.
final class ColumnNames: Sendable {
    private let names: [String]
    private let indices: [String: Int]
    private let statement: String
    /// Comparing with so many names takes less than making a table of them, which single rows would not repay.
    private static let comparedCountMax = 8

    /// - Parameter statement: the text of the statement whose columns they are.
    init(_ names: [String], of statement: String) {
        self.names = names
        self.statement = statement
        indices =
            names.count <= Self.comparedCountMax
            ? [:] : Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The first table that the statement reads, for messages.
    var table: String? {
        let words = statement.split(whereSeparator: \.isWhitespace)
        guard let from = words.firstIndex(of: "FROM"), from + 1 < words.count else { return nil }
        return String(words[from + 1].prefix { $0 == "_" || $0.isLetter || $0.isNumber })
    }

    /// The position of the first column of a name.
    func index(_ name: String) -> Int? {
        names.count <= Self.comparedCountMax ? names.firstIndex(of: name) : indices[name]
    }
}
