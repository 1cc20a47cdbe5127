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

    /// A time kept as milliseconds since 1970.
    public func date(_ column: String) throws -> Date {
        Date(timeIntervalSince1970: Double(try int64(column)) / 1000)
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
        return CatalogError(.mismatch, "column \(column) should hold \(expected) and holds \(found)")
    }
}

/// Column names of one result, shared by all of its rows.
final class ColumnNames: Sendable {
    private let names: [String]
    private let indices: [String: Int]
    /// Comparing with so many names takes less than making a table of them, which single rows would not repay.
    private static let comparedCountMax = 8

    init(_ names: [String]) {
        self.names = names
        indices =
            names.count <= Self.comparedCountMax
            ? [:] : Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The position of the first column of a name.
    func index(_ name: String) -> Int? {
        names.count <= Self.comparedCountMax ? names.firstIndex(of: name) : indices[name]
    }
}
