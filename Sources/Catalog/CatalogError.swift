import GRDB

/// What went wrong in the database, by what a caller can do about it.
public struct CatalogError: Error, Sendable, CustomStringConvertible {
    /// The classes of failure that callers tell apart.
    public enum Code: Sendable {
        /// A uniqueness or other constraint refused the change.
        case constraint
        /// The disk is full: nothing was changed; free space and try again.
        case full
        /// The database is held by another process.
        case busy
        /// The file is not a database, or is damaged.
        case corrupt
        /// The database was written by a newer version of this program.
        case newer
        /// A row does not have the shape that the reader expects.
        case mismatch
        /// The catalogue has been closed.
        case closed
        /// The file cannot be read or written.
        case input
        /// Anything else.
        case other
    }

    /// The class of the failure.
    public let code: Code
    /// What happened, without statement text or values.
    public let message: String

    /// An error of a class, with a sentence for people.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence for people.
    public var description: String { message }

    /// Translates a failure of the SQL library; anything else passes through.
    static func wrap(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let text = error.message ?? error.resultCode.description
        switch error.resultCode.primaryResultCode {
        case .SQLITE_CONSTRAINT: return CatalogError(.constraint, "the database refused the change: \(text)")
        case .SQLITE_FULL:
            return CatalogError(.full, "the disk that holds the database is full; free space and try again")
        case .SQLITE_BUSY, .SQLITE_LOCKED: return CatalogError(.busy, "the database is in use by another process")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return CatalogError(.corrupt, "the database is damaged: \(text)")
        case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            return CatalogError(.input, "the database cannot be read or written: \(text)")
        default: return CatalogError(.other, "the database failed: \(text)")
        }
    }
}
