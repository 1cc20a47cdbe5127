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
    /// Records of keys, policies, aliases, grants and shares, and entries of their journal.
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
    /// Checks the version log with its heads, the mark beside the root key, every version and pin against what was stated,
    /// and the records of keys.
    ///
    /// - Parameter content: read everything back as well and compare it with its hashes.
    public func verify(content: Bool = false) async throws -> VerificationReport {
        var report = VerificationReport()
        if let problem = try await rollbackProblem() { report.problems.append(problem) }
        var reader = LogReader()
        try await read(&reader, &report)
        let stated = reader.stated
        try await compareVersions(stated, upTo: reader.sequence, &report)
        try await comparePins(stated, &report)
        let records = try await versionLog.signer.verifyRecords()
        report.records = records.records
        report.problems += records.problems
        if content {
            let ids = try await catalog.read {
                try $0.rows("SELECT id FROM store_versions ORDER BY id").map(VersionRow.id)
            }
            for id in ids { try await verifyContent(id, &report) }
        }
        return report
    }

    /// Checks one version: its statement and signature, its place in the log, its row, and all of its content.
    public func verify(_ id: VersionID) async throws -> VerificationReport {
        var report = VerificationReport()
        let version = try await version(id)
        let rows = try await catalog.read { transaction in
            try transaction.rows("SELECT * FROM store_log WHERE subject = ? ORDER BY sequence", VersionLog.subject(id))
        }
        let name = Self.name(version)
        guard let row = rows.first(where: { $0["kind"] == .text(Statement.Kind.version.rawValue) }) else {
            report.problems.append("\(name): no signed statement says that it was published")
            return report
        }
        let sequence = try row.int64("sequence")
        let before = try await catalog.read { transaction in
            try transaction.row("SELECT leaf FROM store_log WHERE sequence = ?", sequence - 1)?.bytes("leaf") ?? []
        }
        do {
            let (_, statement) = try versionLog.check(row, sequence: sequence, after: before)
            report.entries = 1
            report.versions = 1
            if let difference = statement.difference(from: version) {
                report.problems.append("\(name): its row was altered: \(difference)")
            }
        } catch let error as FormatError {
            report.problems.append("\(name): entry \(sequence) of the version log: \(error)")
        }
        try await verifyContent(id, &report)
        return report
    }

    static func name(_ version: Version) -> String {
        "\(version.draft.repository)/\(version.draft.artifact)@\(version.number) (\(version.id))"
    }

    private func read(_ reader: inout LogReader, _ report: inout VerificationReport) async throws {
        let heads = try await catalog.read { try $0.rows("SELECT * FROM store_log_heads ORDER BY size") }
        reader.heads = heads[...]
        while true {
            let after = reader.sequence
            let rows = try await catalog.read { transaction in
                try transaction.rows("SELECT * FROM store_log WHERE sequence > ? ORDER BY sequence LIMIT 500", after)
            }
            if rows.isEmpty { break }
            for row in rows { try reader.take(row, versionLog, &report) }
        }
        for head in reader.heads {
            report.problems.append(
                "the version log ends at entry \(reader.sequence), but a head was signed over \(try head.int64("size"))"
            )
        }
    }

    private func compareVersions(
        _ stated: [String: LogReader.Stated], upTo sequence: Int64, _ report: inout VerificationReport
    ) async throws {
        var missing = stated.filter { $0.value.statement.kind == .version }
        var last = ""
        while true {
            let after = last
            let rows = try await catalog.read { transaction in
                try transaction.rows("SELECT * FROM store_versions WHERE id > ? ORDER BY id LIMIT 500", after)
            }
            guard let end = rows.last else { break }
            last = try end.string("id")
            for row in rows {
                report.versions += 1
                let subject = VersionLog.subject(try VersionRow.id(row))
                missing[subject] = nil
                do {
                    let version = try await version(row)
                    let name = Self.name(version)
                    guard let found = stated[subject]?.statement else {
                        // Published since the log was read.
                        if try await isStated(subject, after: sequence) { continue }
                        report.problems.append("\(name): no signed statement says that it was published")
                        continue
                    }
                    guard found.kind == .version else {
                        report.problems.append("\(name): it was removed, and its row was put back")
                        continue
                    }
                    if let difference = found.difference(from: version) {
                        report.problems.append("\(name): its row was altered: \(difference)")
                    }
                } catch let error as StoreError where error.code == .integrity {
                    report.problems.append(error.message)
                }
            }
        }
        for (_, gone) in missing.sorted(by: { $0.key < $1.key }) {
            let statement = gone.statement
            // A collection may have removed it since the log was read.
            let subject = "version/\(statement.version ?? "")"
            let isRemoved = try await catalog.read { transaction in
                try transaction.row(
                    "SELECT sequence FROM store_log WHERE subject = ? AND kind = 'removal'", subject) != nil
            }
            if isRemoved { continue }
            report.problems.append(
                "\(statement.repository ?? "")/\(statement.artifact ?? "")@\(statement.number ?? 0) "
                    + "(\(statement.version ?? "")) is missing: its row was deleted")
        }
    }

    private func isStated(_ subject: String, after sequence: Int64) async throws -> Bool {
        try await catalog.read { transaction in
            try transaction.row(
                "SELECT sequence FROM store_log WHERE subject = ? AND sequence > ?", subject, sequence) != nil
        }
    }

    private func comparePins(_ stated: [String: LogReader.Stated], _ report: inout VerificationReport) async throws {
        let (found, problems) = try await catalog.read { [pinRecords] transaction -> (Set<String>, [String]) in
            var found: Set<String> = []
            var problems: [String] = []
            for row in try transaction.rows("SELECT * FROM store_pins ORDER BY version, name") {
                let pin = try Self.pin(row)
                found.insert(VersionLog.subject(pin.version, pin: pin.name))
                if let problem = try pinRecords.problem(row, transaction) {
                    problems.append("the pin \(pin.name) on version \(pin.version): \(problem)")
                }
            }
            // Pins go with the version when that is removed, and unpinning is stated.
            for (subject, entry) in stated where entry.statement.kind == .pin && !found.contains(subject) {
                let version = "version/\(entry.statement.version ?? "")"
                let excuse = try transaction.row(
                    "SELECT sequence FROM store_log WHERE (subject = ? AND kind = 'removal') OR (subject = ? AND sequence > ?)",
                    version, subject, entry.sequence)
                if excuse != nil { continue }
                problems.append(
                    "the pin \(entry.statement.pin?.name ?? "") on version \(entry.statement.version ?? "") is missing: "
                        + "its row was deleted")
            }
            return (found, problems.sorted())
        }
        report.pins = found.count
        report.problems += problems
    }

    private func verifyContent(_ id: VersionID, _ report: inout VerificationReport) async throws {
        let version: OpenVersion
        let stated: SHA256Digest
        do {
            version = try await open(id)
            stated = try await self.version(id).contentID
        } catch let error as StoreError where error.code == .keyUnavailable {
            report.skipped.append("\(id): \(error.message)")
            return
        } catch let error as StoreError where error.code == .notFound {
            return  // Removed meanwhile.
        } catch let error as StoreError where error.code == .integrity {
            report.problems.append(error.message)
            return
        }
        guard version.root.contentID == stated else {
            report.problems.append("\(version.context.subject): its manifest leads to other content than was stated")
            return
        }
        let found = try await pool.run { try DeepCheck(version, from: nil).run(.max, Pace(bytesPerSecond: nil)) }
        report.bytes += found.bytes
        report.problems += found.problems.map(\.1)
    }
}

/// Walks the log from its beginning.
struct LogReader {
    struct Stated {
        var sequence: Int64
        var statement: Statement
    }

    private(set) var sequence: Int64 = 0
    private(set) var stated: [String: Stated] = [:]
    /// Heads that have not been reached.
    var heads: ArraySlice<Row> = []
    private var leaf: [UInt8] = []
    private var frontier = MerkleFrontier()

    mutating func take(_ row: Row, _ log: VersionLog, _ report: inout VerificationReport) throws {
        let expected = sequence + 1
        let actual = try row.int64("sequence")
        if actual != expected {
            report.problems.append(
                actual == expected + 1
                    ? "entry \(expected) of the version log is missing"
                    : "entries \(expected) to \(actual - 1) of the version log are missing")
        }
        sequence = actual
        let stored = try row.bytes("leaf")
        do {
            let (_, statement) = try log.check(row, sequence: actual, after: leaf)
            report.entries += 1
            stated[try row.string("subject")] = Stated(sequence: actual, statement: statement)
        } catch let error as FormatError {
            report.problems.append("entry \(actual) of the version log: \(error)")
        }
        // Further entries are judged by what is stored, so that one change is one finding.
        leaf = stored
        if let digest = SHA256Digest(bytes: stored) { frontier.append(digest) }
        while let head = heads.first, try head.int64("size") <= sequence {
            heads.removeFirst()
            try compare(try LogHead(head), head, log, &report)
        }
    }

    private func compare(_ head: LogHead, _ row: Row, _ log: VersionLog, _ report: inout VerificationReport) throws {
        report.heads += 1
        let signature = InstanceSignature(
            keyVersion: UInt32(try row.int64("key_version")), bytes: try row.bytes("signature"))
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
