public import Foundation

/// One value as SQL knows it.
public enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// What may stand for a `?` in a statement.
public protocol SQLConvertible {
    /// The value as SQL stores it.
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLConvertible {
    /// The value itself.
    public var sqlValue: SQLValue { self }
}

extension Int: SQLConvertible {
    /// A 64-bit integer.
    public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Int64: SQLConvertible {
    /// A 64-bit integer.
    public var sqlValue: SQLValue { .integer(self) }
}

extension UInt32: SQLConvertible {
    /// A 64-bit integer.
    public var sqlValue: SQLValue { .integer(Int64(self)) }
}

extension Bool: SQLConvertible {
    /// 1 or 0: the portable form, since SQLite has no booleans.
    public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
}

extension Double: SQLConvertible {
    /// A double-precision number.
    public var sqlValue: SQLValue { .real(self) }
}

extension String: SQLConvertible {
    /// UTF-8 text.
    public var sqlValue: SQLValue { .text(self) }
}

extension Array: SQLConvertible where Element == UInt8 {
    /// A byte string.
    public var sqlValue: SQLValue { .blob(self) }
}

extension Date: SQLConvertible {
    /// Milliseconds since 1970, rounded to the nearest.
    public var sqlValue: SQLValue { .integer(Int64((timeIntervalSince1970 * 1000).rounded())) }
}

extension Optional: SQLConvertible where Wrapped: SQLConvertible {
    /// The wrapped value, or NULL.
    public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}
