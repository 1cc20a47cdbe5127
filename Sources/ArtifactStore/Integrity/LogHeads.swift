import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Synchronization

extension ArtifactStore {
    /// Signs the head of the version log, if it has grown, and keeps how far both logs have come beside the root key. The
    /// server does so every minute and when it stops.
    public func recordHead() async throws { try await recordHead(isLast: false) }

    /// Does the same, with the witnesses told at once when it `isLast` for now.
    func recordHead(isLast: Bool, supersedes: Bool = false) async throws {
        // Rarely two at once: every minute, when the signing key rotates, when the server stops. A later head must never
        // take the tree of an earlier one, nor the mark go back.
        while !versionLog.headGate.enter() { try await Task.sleep(for: .milliseconds(5)) }
        defer { versionLog.headGate.leave() }
        try await signHead()
        try await tellWitnesses(now: isLast || supersedes, supersedes: supersedes)
    }

    private func signHead() async throws {
        let (size, leaf) = try await catalog.read { try VersionLog.last($0) }
        let last = try await catalog.read {
            try $0.row("SELECT size, journal_size FROM store_log_heads ORDER BY size DESC LIMIT 1")
        }
        let journal = try await versionLog.signer.journalHead()
        let isNews =
            try last.map { try $0.natural("size") < size || $0.natural("journal_size") < journal.size } ?? (size > 0)
        guard isNews else { return }
        let root = try await advanceFrontier(to: size)
        let head = LogHead(
            size: size, root: root, journalSize: journal.size, journalHead: journal.code, at: now().milliseconds)
        let signature = try versionLog.signer.sign(head.message, version: nil)
        try await catalog.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO store_log_heads (size, root, journal_size, journal_head, at, key_version, signature)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (size) DO UPDATE SET root = excluded.root,
                    journal_size = excluded.journal_size, journal_head = excluded.journal_head, at = excluded.at,
                    key_version = excluded.key_version, signature = excluded.signature
                """, head.size, head.root.bytes, head.journalSize, head.journalHead, head.at, signature.keyVersion,
                signature.bytes)
        }
        try await versionLog.signer.writeHighWaterMark(logSize: size, logHead: leaf)
    }

    /// The root of the tree over the first `size` entries. Only behind the gate of heads.
    private func advanceFrontier(to size: Int64) async throws -> SHA256Digest {
        while true {
            let frontier = versionLog.frontier.withLock { $0 }
            if frontier.size == size { return frontier.root }
            guard frontier.size < size else {
                throw StoreError.integrity("the version log went back from \(frontier.size) entries to \(size)")
            }
            let leaves = try await catalog.read { transaction in
                try transaction.rows(
                    "SELECT leaf FROM store_log WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT 10000",
                    frontier.size, size
                ).map { try $0.bytes("leaf") }
            }
            guard !leaves.isEmpty else { throw StoreError.integrity("the version log ends before entry \(size)") }
            var next = frontier
            for leaf in leaves {
                guard let digest = SHA256Digest(bytes: leaf) else {
                    throw StoreError.integrity("entry \(next.size + 1) of the version log has no hash")
                }
                next.append(digest)
            }
            let advanced = next
            versionLog.frontier.withLock { $0 = advanced }
        }
    }

    /// Compares both logs with the mark beside the root key and with what the witnesses saw: what a database that was put back
    /// to an earlier state lacks.
    ///
    /// - Returns: what is wrong, in words; nil when the logs go on from where they were. Restoring the mark together with
    ///   the database is noticed by witnesses only.
    /// - Throws: `StoreError` when a witness cannot be asked.
    public func rollbackProblem() async throws -> String? {
        if let problem = try await markProblem() { return problem }
        for witness in witnesses {
            if let problem = try await problem(with: witness) { return problem }
        }
        return nil
    }

    private func markProblem() async throws -> String? {
        guard let mark = try await versionLog.signer.highWaterMark() else {
            let head = try await catalog.read { try $0.row("SELECT size FROM store_log_heads LIMIT 1") }
            return head == nil ? nil : "the high-water mark beside the root key is missing"
        }
        let (size, leaf) = try await catalog.read { transaction in
            let leaf = try transaction.row("SELECT leaf FROM store_log WHERE sequence = ?", mark.logSize)?.bytes("leaf")
            return (try VersionLog.last(transaction).size, leaf)
        }
        if mark.logSize > size {
            return
                "the version log has \(size) entries; it had \(mark.logSize) at \(mark.at.formatted(.iso8601))"
        }
        if mark.logSize > 0, !constantTimeEqual(leaf ?? [], Hex.decode(mark.logHead) ?? []) {
            return
                "entry \(mark.logSize) of the version log is not the one that was there at \(mark.at.formatted(.iso8601))"
        }
        return try await versionLog.signer.journalProblem(against: mark)
    }

    /// Records in the log that somebody knows of a restored database, and lets the logs go on from where they are.
    public func acknowledgeRollback(_ problem: String, by who: String) async throws {
        var statement = Statement(.restore, at: now().milliseconds)
        statement.by = who
        statement.note = problem
        let stated = statement
        try await catalog.write { [versionLog] in _ = try versionLog.append(stated, subject: "restore", $0) }
        try await recordHead(isLast: true, supersedes: true)
    }

    /// Makes a new signing key current. The old one certifies it, in the log.
    ///
    /// - Returns: the new key's version.
    public func rotateSigningKey() async throws -> UInt32 {
        // Should a crash have come between the last one and its certificate.
        try await certifySigningKey()
        try await versionLog.signer.rotateKey()
        try await certifySigningKey()
        try await recordHead()
        return try versionLog.signer.publicKey().version
    }

    /// States the current signing key in the log, signed by the one before, unless it is there.
    func certifySigningKey() async throws {
        let (version, spki) = try versionLog.signer.publicKey()
        guard version > 1 else { return }
        var statement = Statement(.key, at: now().milliseconds)
        statement.publicKey = Hex.encode(spki)
        statement.keyVersion = version
        let stated = statement
        try await catalog.write { [versionLog] transaction in
            let known = try transaction.row("SELECT sequence FROM store_log WHERE subject = ?", "key/\(version)")
            guard known == nil else { return }
            _ = try versionLog.append(stated, subject: "key/\(version)", signedBy: version - 1, transaction)
        }
    }
}

/// Gives versions and pins that are older than the log their statements, once.
struct LogBeginning: Sendable {
    let catalog: Catalog
    let store: ArtifactStore

    private static let batch = 200

    func run() async throws {
        let isBegun = try await catalog.read { transaction in
            try transaction.row("SELECT value FROM store_state WHERE name = 'log_begun'") != nil
        }
        if isBegun { return }
        var last = ""
        while true {
            let after = last
            let rows = try await catalog.read { transaction in
                try transaction.rows(
                    """
                    SELECT * FROM store_versions WHERE id > ? AND NOT EXISTS
                        (SELECT 1 FROM store_log WHERE subject = 'version/' || store_versions.id)
                    ORDER BY id LIMIT ?
                    """, after, Self.batch)
            }
            guard let end = rows.last else { break }
            last = try end.string("id")
            let versions = try await store.versions(rows)
            try await catalog.write { [log = store.versionLog] transaction in
                for version in versions {
                    try log.append(Statement(version), subject: VersionLog.subject(version.id), transaction)
                }
            }
        }
        try await catalog.write { [pins = store.pinRecords] transaction in
            for row in try transaction.rows("SELECT * FROM store_pins WHERE mac IS NULL") {
                try pins.save(try ArtifactStore.pin(row), at: try row.int64("created_at"), transaction)
            }
            try transaction.execute("INSERT INTO store_state (name, value) VALUES ('log_begun', 1)")
        }
    }
}
