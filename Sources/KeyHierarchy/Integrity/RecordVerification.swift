import Catalog
import Cryptography

/// What a check of the records of keys, aliases, grants and shares found.
public struct RecordVerification: Sendable, Hashable {
    /// Records that were checked.
    public var records = 0
    /// Entries of the security journal.
    public var entries = 0
    /// What is wrong, one sentence each.
    public var problems: [String] = []

    /// A check of nothing.
    public init() {}
}

extension KeyHierarchy {
    /// Checks the whole security journal, and every record against it.
    public func verifyRecords() async throws -> RecordVerification {
        let records = try unsealed().records
        return try await catalog.read { try records.verifyAll($0) }
    }
}

extension KeyRecords {
    private struct Name: Hashable {
        var kind: String
        var scope: String
        var id: String
    }

    /// Compares every record with its code and with the latest entry for it, and finds those that are missing.
    func verifyAll(_ transaction: Transaction) throws -> RecordVerification {
        var result = RecordVerification()
        do {
            result.entries = try verifyJournal(transaction)
        } catch let error as KeyError where error.code == .tampered {
            result.problems.append(error.message)
        }
        var latest: [Name: (sequence: Int64, action: String)] = [:]
        try transaction.forEach("SELECT sequence, kind, scope, id, action FROM key_journal ORDER BY sequence") { row in
            let name = Name(kind: try row.string("kind"), scope: try row.string("scope"), id: try row.string("id"))
            latest[name] = (try row.int64("sequence"), try row.string("action"))
        }
        try transaction.forEach("SELECT * FROM key_record") { row in
            let name = Name(kind: try row.string("kind"), scope: try row.string("scope"), id: try row.string("id"))
            let last = latest.removeValue(forKey: name)
            result.records += 1
            if let problem = try problem(row, last) {
                result.problems.append("The \(name.kind) \(name.id) of \(name.scope): \(problem).")
            }
        }
        for (name, last) in latest where last.action != "delete" && !Self.unrecorded.contains(name.kind) {
            result.problems.append("The \(name.kind) \(name.id) of \(name.scope) is missing: its row was deleted.")
        }
        result.problems.sort()
        return result
    }

    /// Kinds that are journalled and have no record.
    private static let unrecorded: Set<String> = ["keyring", "instance", "dedup"]

    private func problem(_ row: Row, _ last: (sequence: Int64, action: String)?) throws -> String? {
        let sequence = try row.int64("sequence")
        let isRight = isCode(
            try row.bytes("mac"), of: try row.string("kind"), try row.string("scope"), try row.string("id"),
            try row.string("document"), sequence)
        guard isRight else {
            return "its authentication code does not match, the row was altered"
        }
        guard let last else { return "the security journal does not know it" }
        guard last.action != "delete" else { return "it was deleted and has been put back" }
        return last.sequence == sequence ? nil : "it is not the latest version, an old row was put back"
    }
}
