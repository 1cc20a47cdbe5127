import Catalog
import Cryptography
import Foundation

/// A document that decides about access: a KMS key with its policy, an alias, a grant.
protocol KeyDocument: Codable, Sendable, Equatable {
    /// The record's kind, part of its identity.
    static var kind: String { get }
    /// `ACCOUNT/REGION`.
    var recordScope: String { get }
    /// Unique in kind and scope.
    var recordID: String { get }
    /// What it belongs to, for listing; empty for nothing.
    var recordParent: String { get }
    /// A second thing to list by; empty for nothing.
    var recordAux: String { get }
}

extension AccountRegion {
    var recordScope: String { "\(account)/\(region)" }
}

/// Reads and writes records with their codes and the security journal.
///
/// A record's code covers its identity, its document and its journal sequence, and the sequence must be that of the latest
/// journal entry for it. Restoring an old row, such as a revoked grant, is therefore noticed, and access fails closed.
struct KeyRecords: Sendable {
    private let codeKeys: CodeKeys
    private let root: RootKey
    private let now: @Sendable () -> Date

    init(_ codeKeys: CodeKeys, root: RootKey, now: @escaping @Sendable () -> Date) {
        self.codeKeys = codeKeys
        self.root = root
        self.now = now
    }

    func find<D: KeyDocument>(_ type: D.Type, scope: String, id: String, _ transaction: Transaction) throws -> D? {
        let row = try transaction.row(
            "SELECT * FROM key_record WHERE kind = ? AND scope = ? AND id = ?", D.kind, scope, id)
        let last = try lastEntry(D.kind, scope, id, transaction)
        guard let row else {
            guard last == nil || last?.action == "delete" else { throw Self.tampered(D.kind, id, "it is missing") }
            return nil
        }
        return try check(row, last, D.self)
    }

    /// Records in the order of their IDs, after `marker`.
    func list<D: KeyDocument>(
        _ type: D.Type, scope: String, after marker: String, limit: Int, _ transaction: Transaction
    ) throws -> [D] {
        try transaction.rows(
            "SELECT * FROM key_record WHERE kind = ? AND scope = ? AND id > ? ORDER BY id LIMIT ?", D.kind, scope,
            marker,
            limit
        ).map { try check($0, transaction, D.self) }
    }

    /// Records that belong to `parent`, in the order of their IDs.
    func children<D: KeyDocument>(
        _ type: D.Type, of parent: String, after marker: String = "", limit: Int = .max, _ transaction: Transaction
    ) throws -> [D] {
        try transaction.rows(
            "SELECT * FROM key_record WHERE kind = ? AND parent = ? AND id > ? ORDER BY id LIMIT ?", D.kind, parent,
            marker, Int64(limit)
        ).map { try check($0, transaction, D.self) }
    }

    /// Records found by their second index.
    func matching<D: KeyDocument>(
        _ type: D.Type, aux: String, after marker: String = "", limit: Int = .max, _ transaction: Transaction
    ) throws -> [D] {
        try transaction.rows(
            "SELECT * FROM key_record WHERE kind = ? AND aux = ? AND id > ? ORDER BY id LIMIT ?", D.kind, aux, marker,
            Int64(limit)
        ).map { try check($0, transaction, D.self) }
    }

    func count(kind: String, scope: String, _ transaction: Transaction) throws -> Int {
        try transaction.row("SELECT COUNT(*) AS n FROM key_record WHERE kind = ? AND scope = ?", kind, scope)?.int("n")
            ?? 0
    }

    func countChildren(kind: String, of parent: String, _ transaction: Transaction) throws -> Int {
        try transaction.row("SELECT COUNT(*) AS n FROM key_record WHERE kind = ? AND parent = ?", kind, parent)?
            .int("n") ?? 0
    }

    /// Inserts or replaces a record and journals the change under the name `action`.
    func save<D: KeyDocument>(_ document: D, action: String, _ transaction: Transaction) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(document), as: UTF8.self)
        let sequence = try journal(D.kind, document.recordScope, document.recordID, action, text, transaction)
        let mac = try code(D.kind, document.recordScope, document.recordID, text, sequence)
        try transaction.execute(
            """
            INSERT INTO key_record (kind, scope, id, parent, aux, document, sequence, mac)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, scope, id) DO UPDATE SET parent = excluded.parent, aux = excluded.aux,
                document = excluded.document, sequence = excluded.sequence, mac = excluded.mac
            """, D.kind, document.recordScope, document.recordID, document.recordParent, document.recordAux, text,
            sequence, mac.bytes)
    }

    func delete<D: KeyDocument>(_ document: D, _ transaction: Transaction) throws {
        _ = try journal(D.kind, document.recordScope, document.recordID, "delete", "", transaction)
        try transaction.execute(
            "DELETE FROM key_record WHERE kind = ? AND scope = ? AND id = ?", D.kind, document.recordScope,
            document.recordID)
    }

    // MARK: Journal

    /// Journals something that happened to a key and has no record of its own, such as the rotation of a keyring.
    func note(kind: String, scope: String, id: String, action: String, _ transaction: Transaction) throws {
        _ = try journal(kind, scope, id, action, "", transaction)
    }

    private struct Entry {
        let sequence: Int64
        let action: String
    }

    private func lastEntry(_ kind: String, _ scope: String, _ id: String, _ transaction: Transaction) throws -> Entry? {
        try transaction.row(
            """
            SELECT sequence, action FROM key_journal WHERE kind = ? AND scope = ? AND id = ?
            ORDER BY sequence DESC LIMIT 1
            """, kind, scope, id
        ).map { Entry(sequence: try $0.int64("sequence"), action: try $0.string("action")) }
    }

    private func journal(
        _ kind: String, _ scope: String, _ id: String, _ action: String, _ document: String, _ transaction: Transaction
    ) throws -> Int64 {
        let last = try transaction.row("SELECT sequence, chain FROM key_journal ORDER BY sequence DESC LIMIT 1")
        let sequence = (try last?.int64("sequence") ?? 0) + 1
        let at = Int64(now().timeIntervalSince1970 * 1000)
        let digest = SHA256.digest(Array(document.utf8)).bytes
        let chain = chainCode(
            try journalKey(transaction), after: try last?.bytes("chain") ?? [], sequence: sequence, at: at, kind, scope,
            id,
            action, digest)
        try transaction.execute(
            """
            INSERT INTO key_journal (sequence, at, kind, scope, id, action, digest, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, sequence, at, kind, scope, id, action, digest, chain)
        return sequence
    }

    /// The key of the next entry: a rotation that is committed counts, whether or not this process has taken it in.
    private func journalKey(_ transaction: Transaction) throws -> SecretBytes {
        let last = try transaction.row(
            """
            SELECT id FROM key_journal WHERE kind = 'instance' AND scope = 'journal' AND action = 'rotate'
            ORDER BY sequence DESC LIMIT 1
            """)
        return try journalKey(last.map { try $0.string("id") }, transaction)
    }

    /// The key that a rotation made current; nil: the one before any.
    private func journalKey(_ rotation: String?, _ transaction: Transaction) throws -> SecretBytes {
        guard let version = rotation.map({ UInt32($0) }) ?? codeKeys.firstJournalVersion else {
            throw Self.tampered("journal", rotation ?? "", "it names a key that cannot be")
        }
        if let key = codeKeys.journal(version) { return key }
        guard let key = try InstanceKeys.stored(.journal, version: version, root, transaction) else {
            throw Self.tampered("journal", "\(version)", "the key of its entries is missing")
        }
        return key
    }

    private func chainCode(
        _ key: SecretBytes, after previous: [UInt8], sequence: Int64, at: Int64, _ kind: String, _ scope: String,
        _ id: String,
        _ action: String, _ digest: [UInt8]
    ) -> [UInt8] {
        var writer = ByteWriter()
        writer.appendPrefixed(previous)
        writer.append(UInt64(bitPattern: sequence))
        writer.append(UInt64(bitPattern: at))
        for field in [kind, scope, id, action] { writer.appendPrefixed(Array(field.utf8)) }
        writer.append(digest)
        return HMACSHA256.code(key: key, writer.bytes).bytes
    }

    /// Walks the whole journal. Throws at the first entry that does not follow from the one before.
    func verifyJournal(_ transaction: Transaction) throws -> Int {
        var previous: [UInt8] = []
        var count = 0
        var key = try journalKey(nil, transaction)
        try transaction.forEach("SELECT * FROM key_journal ORDER BY sequence") { row in
            count += 1
            let expected = chainCode(
                key, after: previous, sequence: try row.int64("sequence"), at: try row.int64("at"),
                try row.string("kind"),
                try row.string("scope"), try row.string("id"), try row.string("action"), try row.bytes("digest"))
            guard try row.int64("sequence") == count, constantTimeEqual(expected, try row.bytes("chain")) else {
                throw Self.tampered("journal", "\(count)", "it does not follow from the entry before")
            }
            previous = expected
            // The entry itself is under the key before: it certifies the next one.
            if try row.string("kind") == "instance", try row.string("scope") == "journal",
                try row.string("action") == "rotate"
            {
                key = try journalKey(try row.string("id"), transaction)
            }
        }
        return count
    }

    // MARK: Codes

    /// A record's code under the current key.
    func code(_ kind: String, _ scope: String, _ id: String, _ document: String, _ sequence: Int64) throws
        -> SHA256Digest
    {
        guard let key = codeKeys.rows.first else { throw Self.tampered(kind, id, "the instance has no row key") }
        return HMACSHA256.code(key: key, Self.covered(kind, scope, id, document, sequence))
    }

    /// Whether a record's code is right, under any row key there is.
    func isCode(
        _ mac: [UInt8], of kind: String, _ scope: String, _ id: String, _ document: String, _ sequence: Int64
    ) -> Bool {
        Self.isCode(mac, of: kind, scope, id, document, sequence, under: codeKeys.rows)
    }

    /// The same for a row as it is stored and some of the keys.
    static func isCode(of row: Row, under keys: [SecretBytes]) throws -> Bool {
        isCode(
            try row.bytes("mac"), of: try row.string("kind"), try row.string("scope"), try row.string("id"),
            try row.string("document"), try row.int64("sequence"), under: keys)
    }

    private static func isCode(
        _ mac: [UInt8], of kind: String, _ scope: String, _ id: String, _ document: String, _ sequence: Int64,
        under keys: [SecretBytes]
    ) -> Bool {
        let covered = covered(kind, scope, id, document, sequence)
        return keys.contains { constantTimeEqual(HMACSHA256.code(key: $0, covered).bytes, mac) }
    }

    private static func covered(
        _ kind: String, _ scope: String, _ id: String, _ document: String, _ sequence: Int64
    ) -> [UInt8] {
        var writer = ByteWriter()
        for field in [kind, scope, id, document] { writer.appendPrefixed(Array(field.utf8)) }
        writer.append(UInt64(bitPattern: sequence))
        return writer.bytes
    }

    private func check<D: KeyDocument>(_ row: Row, _ transaction: Transaction, _ type: D.Type) throws -> D {
        try check(row, lastEntry(D.kind, row.string("scope"), row.string("id"), transaction), type)
    }

    private func check<D: KeyDocument>(_ row: Row, _ last: Entry?, _ type: D.Type) throws -> D {
        let id = try row.string("id")
        let scope = try row.string("scope")
        let text = try row.string("document")
        let sequence = try row.int64("sequence")
        guard isCode(try row.bytes("mac"), of: D.kind, scope, id, text, sequence) else {
            throw Self.tampered(D.kind, id, "its authentication code does not match")
        }
        guard last?.sequence == sequence else { throw Self.tampered(D.kind, id, "it is not the latest version") }
        let document = try JSONDecoder().decode(D.self, from: Data(text.utf8))
        guard document.recordParent == (try row.string("parent")), document.recordAux == (try row.string("aux")) else {
            throw Self.tampered(D.kind, id, "its index columns do not match it")
        }
        return document
    }

    static func tampered(_ kind: String, _ id: String, _ how: String) -> KeyError {
        KeyError(.tampered, "The stored \(kind) \(id) was altered: \(how). Access is refused.")
    }
}
