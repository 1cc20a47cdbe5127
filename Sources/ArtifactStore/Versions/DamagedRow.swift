import Catalog

/// Reading rows that may not hold what they should.
enum DamagedRow {
    /// Says which row it is that cannot be read: a column by itself is little help. Throws `StoreError` with `.integrity` in
    /// the place of errors about formats and columns.
    static func naming<T>(_ subject: @autoclosure () throws -> String, _ read: () throws -> T) throws -> T {
        do {
            return try read()
        } catch let error as FormatError {
            throw StoreError.integrity("\(try subject()): \(error)")
        } catch let error as CatalogError where error.code == .mismatch {
            throw StoreError.integrity("\(try subject()): \(error.message)")
        }
    }
}
