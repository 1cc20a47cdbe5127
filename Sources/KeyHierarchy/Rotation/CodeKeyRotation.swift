import Catalog
import Cryptography
import Foundation
import Synchronization

/// Keys that seal nothing and vouch for everything: codes of records, the chain of the security journal, tokens.
extension KeyHierarchy {
    /// Records whose codes one transaction makes anew: bounds how long other writers wait.
    private static let recodeBatch = 500

    /// Makes a new token key current. Tokens and markers that were made under older ones stay valid until those are
    /// destroyed.
    public func rotateTokenKey() async throws -> UInt32 {
        try await rotateInstanceKey(.token)
        return try unsealed().keys.current(.token).version
    }

    /// Makes a new key of the security journal current. The entry that says so is the last under the old one, which stays: it
    /// verifies what came before and vouches for nothing that comes after.
    public func rotateJournalKey() async throws -> UInt32 {
        try await rotateInstanceKey(.journal)
        return try unsealed().keys.current(.journal).version
    }

    /// Makes a new row key current and makes the codes of all records anew under it. A crash in between leaves codes under
    /// both keys, which are both right; ``maintain()`` finishes. Rows of services (``rowAuthenticationKeys(_:)``) are
    /// theirs to write anew.
    public func rotateRowKey() async throws -> KeyRotationReport {
        recordsAreCurrent.withLock { $0 = false }
        try await rotateInstanceKey(.row)
        let count = try await recodeRecords()
        recordsAreCurrent.withLock { $0 = true }
        return KeyRotationReport(version: try unsealed().keys.current(.row).version, rewrapped: count)
    }

    /// Versions of the row key that are not destroyed, oldest first; the last is current.
    public func rowKeyVersions() throws -> [UInt32] { try unsealed().keys.all(.row).keys.sorted() }

    /// Destroys a row key under which there is no code any more; those of services' rows are for the caller to look at.
    ///
    /// Throws `conflict` for the current key, and while a record's code is under the key only.
    package func destroyRowKey(version: UInt32) async throws {
        try await destroyInstanceKey(.row, "The row key", version) { state, transaction in
            let others = state.keys.all(.row).filter { $0.key != version }.map(\.value)
            var left = 0
            try transaction.forEach("SELECT * FROM key_record") { row in
                if try !KeyRecords.isCode(of: row, under: others) { left += 1 }
            }
            guard left == 0 else {
                throw KeyError(.conflict, "The codes of \(left) records are still under version \(version).")
            }
        }
    }

    /// Destroys a token key: tokens and markers that were made under it are worth nothing from then on.
    ///
    /// Throws `conflict` for the current key.
    public func destroyTokenKey(version: UInt32) async throws {
        try await destroyInstanceKey(.token, "The token key", version) { _, _ in }
    }

    /// Makes anew what an interrupted rotation left under older row keys; looks once a start.
    func finishRowKeyRotation() async throws {
        guard try unsealed().keys.all(.row).count > 1, !recordsAreCurrent.withLock({ $0 }) else { return }
        _ = try await recodeRecords()
        recordsAreCurrent.withLock { $0 = true }
    }

    private func recodeRecords() async throws -> Int {
        let records = try unsealed().records
        var total = 0
        var last = ("", "", "")
        while true {
            let (kind, scope, id) = last
            let (end, count) = try await catalog.write { transaction in
                let rows = try transaction.rows(
                    """
                    SELECT * FROM key_record WHERE (kind, scope, id) > (?, ?, ?) ORDER BY kind, scope, id LIMIT ?
                    """, kind, scope, id, Self.recodeBatch)
                var count = 0
                for row in rows where try records.recode(row, transaction) { count += 1 }
                return (
                    try rows.last.map { (try $0.string("kind"), try $0.string("scope"), try $0.string("id")) }, count
                )
            }
            total += count
            guard let end else { return total }
            last = end
        }
    }
}

extension KeyRecords {
    /// Gives a record that has a right code under an older key its code under the current one. A wrong code stays wrong.
    /// Returns whether it was made anew.
    func recode(_ row: Row, _ transaction: Transaction) throws -> Bool {
        let (kind, scope, id) = (try row.string("kind"), try row.string("scope"), try row.string("id"))
        let (text, sequence, mac) = (try row.string("document"), try row.int64("sequence"), try row.bytes("mac"))
        let current = try code(kind, scope, id, text, sequence).bytes
        guard !constantTimeEqual(current, mac), isCode(mac, of: kind, scope, id, text, sequence) else { return false }
        try transaction.execute(
            "UPDATE key_record SET mac = ? WHERE kind = ? AND scope = ? AND id = ?", current, kind, scope, id)
        return true
    }
}
