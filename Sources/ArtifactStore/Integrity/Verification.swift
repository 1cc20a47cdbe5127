import Catalog
import Cryptography
import Foundation
import KeyHierarchy

/// What a verification found.
public struct VerificationReport: Sendable, Hashable {
    /// Entries of the version log whose hash, order and signature were checked.
    public var entries = 0
    /// Signed heads that were compared with the log.
    public var heads = 0
    /// Versions that were compared with their signed statements.
    public var versions = 0
    /// Pins that were compared with the log.
    public var pins = 0
    /// Records of keys, policies, aliases, grants and shares that were compared with their journal.
    public var records = 0
    /// Bytes of content that were read back and compared with their hashes.
    public var bytes: Int64 = 0
    /// What is wrong, one sentence each, naming the thing.
    public var problems: [String] = []
    /// Versions whose content could not be read because their key does not allow it.
    public var skipped: [String] = []

    /// A report of nothing.
    public init() {}
}

extension ArtifactStore {
    /// Rows that are compared at a time: memory does not grow with the store.
    private static let verificationBatch = 500

    /// Checks the version log with its heads, the mark beside the root key, the witnesses, every version and pin against
    /// what was stated, and the records of keys. Content is read by ``ArtifactStore/verifyContent(_:from:byteLimit:)``.
    public func verify() async throws -> VerificationReport {
        var report = VerificationReport()
        do {
            if let problem = try await rollbackProblem() { report.problems.append(problem) }
        } catch let error as StoreError {
            report.problems.append(error.message)
        }
        try await verifyLog(&report)
        try await compareVersions(&report)
        try await findMissingVersions(&report)
        try await comparePins(&report)
        let records = try await versionLog.signer.verifyRecords()
        report.records = records.records
        report.problems += records.problems
        return report
    }

    /// Checks one version without its content: its statement with signature and place in the log, and its row.
    public func verify(_ id: VersionID) async throws -> VerificationReport {
        var report = VerificationReport()
        let row = try await row(id)
        let subject = VersionLog.subject(id)
        let (entry, before) = try await catalog.read { transaction -> (Row?, [UInt8]) in
            let entry = try transaction.row(
                "SELECT * FROM store_log WHERE subject = ? AND kind = 'version' ORDER BY sequence LIMIT 1", subject)
            guard let entry else { return (nil, []) }
            let before = try transaction.row(
                "SELECT leaf FROM store_log WHERE sequence = ?", try entry.natural("sequence") - 1)
            return (entry, try before?.bytes("leaf") ?? [])
        }
        if let entry {
            do {
                _ = try versionLog.check(entry, sequence: try entry.natural("sequence"), after: before)
                report.entries = 1
            } catch let error as FormatError {
                report.problems.append("entry \(try entry.natural("sequence")) of the version log: \(error)")
            }
        }
        try await compare(row, entry, &report)
        return report
    }

    private func verifyLog(_ report: inout VerificationReport) async throws {
        let heads = try await catalog.read { try $0.rows("SELECT * FROM store_log_heads ORDER BY size") }
        var reader = LogReader(heads: heads[...])
        while true {
            let after = reader.sequence
            let rows = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT * FROM store_log WHERE sequence > ? ORDER BY sequence LIMIT ?", after,
                    Self.verificationBatch)
            }
            if rows.isEmpty { break }
            for row in rows { try reader.take(row, versionLog, &report) }
        }
        for head in reader.heads {
            report.problems.append(
                "the version log ends at entry \(reader.sequence), but a head was signed over \(try head.natural("size"))"
            )
        }
    }

    /// Every row and the latest entry about it, from one snapshot.
    private func compareVersions(_ report: inout VerificationReport) async throws {
        var last = ""
        while true {
            let after = last
            let pairs = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT * FROM store_versions WHERE id > ? ORDER BY id LIMIT ?", after, Self.verificationBatch
                ).map { row -> (row: Row, entry: Row?) in
                    let entry = try transaction.row(
                        "SELECT * FROM store_log WHERE subject = ? ORDER BY sequence DESC LIMIT 1",
                        VersionLog.subject(try VersionRow.id(row)))
                    return (row, entry)
                }
            }
            guard let end = pairs.last else { return }
            last = try end.row.string("id")
            for (row, entry) in pairs { try await compare(row, entry, &report) }
        }
    }

    private func compare(_ row: Row, _ entry: Row?, _ report: inout VerificationReport) async throws {
        report.versions += 1
        do {
            let version = try await version(row)
            let name =
                "\(version.draft.repository)/\(version.draft.artifact)@\(version.number) (\(version.id))"
            guard let entry else {
                report.problems.append("\(name): no signed statement says that it was published")
                return
            }
            let statement = try versionLog.statement(entry).statement
            guard statement.kind == .version else {
                report.problems.append("\(name): it was removed, and its row was put back")
                return
            }
            if let difference = statement.difference(from: version) {
                report.problems.append("\(name): its row was altered: \(difference)")
            }
        } catch let error as StoreError where error.code == .integrity {
            report.problems.append(error.message)
        } catch let error as FormatError {
            report.problems.append("version \(try row.string("id")): the statement about it: \(error)")
        } catch let error as CatalogError where error.code == .mismatch {
            report.problems.append("version \(try row.string("id")): \(error.message)")
        }
    }

    /// Versions that were stated, are not there, and were not stated to be removed.
    private func findMissingVersions(_ report: inout VerificationReport) async throws {
        var last: Int64 = 0
        while true {
            let after = last
            let entries = try await catalog.read { transaction in
                try transaction.rows(
                    """
                    SELECT * FROM store_log e WHERE kind = 'version' AND sequence > ?
                        AND NOT EXISTS (SELECT 1 FROM store_versions WHERE id = substr(e.subject, 9))
                        AND NOT EXISTS (SELECT 1 FROM store_log r WHERE r.subject = e.subject AND r.kind = 'removal')
                    ORDER BY sequence LIMIT ?
                    """, after, Self.verificationBatch)
            }
            guard let end = entries.last else { return }
            last = try end.natural("sequence")
            for entry in entries {
                // What does not open has been reported with the log.
                guard let statement = try? versionLog.statement(entry).statement else { continue }
                report.problems.append(
                    "\(statement.repository ?? "")/\(statement.artifact ?? "")@\(statement.number ?? 0) "
                        + "(\(statement.version ?? "")) is missing: its row was deleted")
            }
        }
    }

    private func comparePins(_ report: inout VerificationReport) async throws {
        let (count, altered, missing) = try await catalog.read { [pinRecords] transaction in
            var count = 0
            var altered: [String] = []
            try transaction.forEach("SELECT * FROM store_pins ORDER BY version, name") { row in
                count += 1
                let found: String?
                do {
                    found = try pinRecords.problem(row, transaction)
                } catch let error as CatalogError where error.code == .mismatch {
                    found = error.message
                }
                guard let problem = found else { return }
                altered.append("the pin \(try row.string("name")) on version \(try row.string("version")): \(problem)")
            }
            // Pins go with the version when that is removed; unpinning is stated. `pin/`, 36 characters of id, `/`, name.
            let missing = try transaction.rows(
                """
                SELECT subject FROM store_log e WHERE kind = 'pin'
                    AND sequence = (SELECT MAX(sequence) FROM store_log WHERE subject = e.subject)
                    AND NOT EXISTS (SELECT 1 FROM store_pins
                        WHERE version = substr(e.subject, 5, 36) AND name = substr(e.subject, 42))
                    AND NOT EXISTS (SELECT 1 FROM store_log r
                        WHERE r.subject = 'version/' || substr(e.subject, 5, 36) AND r.kind = 'removal')
                ORDER BY sequence
                """
            ).map { row in
                let subject = try row.string("subject")
                return
                    "the pin \(subject.dropFirst(41)) on version \(subject.dropFirst(4).prefix(36)) is missing: its row "
                    + "was deleted"
            }
            return (count, altered, missing)
        }
        report.pins = count
        report.problems += altered + missing
    }
}

/// Walks the log from its beginning.
private struct LogReader {
    private(set) var sequence: Int64 = 0
    /// Heads that have not been reached.
    private(set) var heads: ArraySlice<Row>
    private var leaf: [UInt8] = []
    private var frontier = MerkleFrontier()

    init(heads: ArraySlice<Row>) { self.heads = heads }

    mutating func take(_ row: Row, _ log: VersionLog, _ report: inout VerificationReport) throws {
        let expected = sequence + 1
        let actual = try row.natural("sequence")
        if actual != expected {
            report.problems.append(
                actual == expected + 1
                    ? "entry \(expected) of the version log is missing"
                    : "entries \(expected) to \(actual - 1) of the version log are missing")
        }
        sequence = actual
        let stored = try row.bytes("leaf")
        do {
            _ = try log.check(row, sequence: actual, after: leaf)
            report.entries += 1
        } catch let error as FormatError {
            report.problems.append("entry \(actual) of the version log: \(error)")
        } catch let error as CatalogError where error.code == .mismatch {
            report.problems.append("entry \(actual) of the version log: \(error.message)")
        }
        // Further entries are judged by what is stored, so that one change is one finding.
        leaf = stored
        if let digest = SHA256Digest(bytes: stored) { frontier.append(digest) }
        while let head = heads.first, try head.natural("size") <= sequence {
            heads.removeFirst()
            try compare(try LogHead(head), head, log, &report)
        }
    }

    private func compare(_ head: LogHead, _ row: Row, _ log: VersionLog, _ report: inout VerificationReport) throws {
        report.heads += 1
        let signature = InstanceSignature(
            keyVersion: try row.integer("key_version", as: UInt32.self), bytes: try row.bytes("signature"))
        guard try log.signer.isValid(signature, on: head.message) else {
            report.problems.append("the head over \(head.size) entries is not signed by this instance")
            return
        }
        guard head.size == frontier.size, head.root == frontier.root else {
            report.problems.append(
                "the first \(head.size) entries of the version log are not those that were signed over")
            return
        }
    }
}
