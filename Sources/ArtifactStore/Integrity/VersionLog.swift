import Catalog
import Cryptography
import KeyHierarchy
import Synchronization

/// The version log: an append-only list of signed statements. Each entry's hash covers the one before, so that the last
/// one vouches for all; a Merkle tree over the hashes (RFC 6962) gives the signed heads.
///
/// Statements are sealed under the storage key, since hashes of plaintext are nothing for readers of the database. The
/// signature covers the entry's hash, which covers the statement as it was before sealing.
final class VersionLog: Sendable {
    let signer: any StoreSigner
    private let ring: StorageKeyRing
    /// The tree over the entries that a head was made of last.
    let frontier = Mutex(MerkleFrontier())
    /// What the witnesses were told last, by their names.
    let witnessed = Mutex<[String: WitnessedPlace]>([:])
    /// Lets one at a time make a head.
    let headGate = Gate()
    /// The last entry of this process: after it the next one is expected.
    private let tail = Mutex<(size: Int64, leaf: [UInt8])?>(nil)

    init(signer: any StoreSigner, ring: StorageKeyRing) {
        self.signer = signer
        self.ring = ring
    }

    static func subject(_ version: VersionID) -> String { "version/\(version)" }
    static func subject(_ version: VersionID, pin: String) -> String { "pin/\(version)/\(pin)" }

    /// Appends a statement in a transaction. Returns the entry's sequence.
    @discardableResult
    func append(
        _ statement: Statement, subject: String, signedBy version: UInt32? = nil, _ transaction: Transaction
    ) throws -> Int64 {
        let last = try Self.last(transaction)
        return try insert(try entry(statement, subject: subject, after: last, signedBy: version), transaction)
    }

    /// Appends an entry that was made before the transaction if it fits, which it does when nobody came first; otherwise
    /// the same statement in an entry made now.
    func append(
        _ expected: VersionLogEntry?, number: Int, else statement: () -> Statement, subject: String,
        _ transaction: Transaction
    ) throws {
        let last = try Self.last(transaction)
        if let expected, expected.sequence == last.size + 1, expected.previous == last.leaf,
            expected.statement.number == number, expected.storageKeyVersion == ring.current.version
        {
            try insert(expected, transaction)
        } else {
            try insert(try entry(statement(), subject: subject, after: last, signedBy: nil), transaction)
        }
    }

    /// The entry that a statement makes, should the log still be what it was after the last entry of this process.
    func entryAhead(_ statement: Statement, subject: String) throws -> VersionLogEntry? {
        guard let last = tail.withLock({ $0 }) else { return nil }
        return try entry(statement, subject: subject, after: last, signedBy: nil)
    }

    private func entry(
        _ statement: Statement, subject: String, after last: (size: Int64, leaf: [UInt8]), signedBy version: UInt32?
    ) throws -> VersionLogEntry {
        let sequence = last.size + 1
        let plain = statement.encoded()
        let leaf = Self.leaf(sequence, after: last.leaf, kind: statement.kind.rawValue, subject: subject, plain)
        let current = ring.current
        return VersionLogEntry(
            sequence: sequence, previous: last.leaf, subject: subject, statement: statement, leaf: leaf,
            signature: try signer.sign(Self.message(leaf), version: version),
            sealed: try SealedEnvelope.seal(
                plain, type: .statement, version: current.version, key: current.key, name: Self.name(sequence)),
            storageKeyVersion: current.version)
    }

    @discardableResult
    private func insert(_ entry: VersionLogEntry, _ transaction: Transaction) throws -> Int64 {
        try transaction.execute(
            """
            INSERT INTO store_log (sequence, kind, subject, statement, leaf, key_version, signature)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, entry.sequence, entry.statement.kind.rawValue, entry.subject, entry.sealed, entry.leaf.bytes,
            entry.signature.keyVersion, entry.signature.bytes)
        // A guess: should the transaction fail, the next entry is made in its own.
        tail.withLock { $0 = (entry.sequence, entry.leaf.bytes) }
        return entry.sequence
    }

    /// The last entry's sequence and hash.
    static func last(_ transaction: Transaction) throws -> (size: Int64, leaf: [UInt8]) {
        let row = try transaction.row("SELECT sequence, leaf FROM store_log ORDER BY sequence DESC LIMIT 1")
        guard let row else { return (0, []) }
        return (try row.natural("sequence"), try row.bytes("leaf"))
    }

    /// The statement of an entry. Throws `FormatError` when it does not open.
    func statement(_ row: Row) throws -> (plain: [UInt8], statement: Statement) {
        let sealed = try row.bytes("statement")
        let key = try ring.fetched(version: try SealedEnvelope.version(of: sealed))
        let plain = try SealedEnvelope.open(
            sealed, type: .statement, key: key, name: Self.name(try row.natural("sequence")))
        return (plain, try Statement.decode(plain))
    }

    /// Checks an entry against the one before. Returns its hash and what it states.
    func check(_ row: Row, sequence: Int64, after previous: [UInt8]) throws -> (leaf: SHA256Digest, Statement) {
        guard try row.int64("sequence") == sequence else {
            throw FormatError("entry \(sequence) is missing")
        }
        let (plain, statement) = try statement(row)
        let leaf = Self.leaf(
            sequence, after: previous, kind: try row.string("kind"), subject: try row.string("subject"), plain)
        guard constantTimeEqual(leaf.bytes, try row.bytes("leaf")), statement.kind.rawValue == (try row.string("kind"))
        else { throw FormatError("it does not follow from the entry before") }
        let signature = InstanceSignature(
            keyVersion: try row.integer("key_version", as: UInt32.self), bytes: try row.bytes("signature"))
        guard try signer.isValid(signature, on: Self.message(leaf)) else {
            throw FormatError("its signature is not this instance's")
        }
        return (leaf, statement)
    }

    static func name(_ sequence: Int64) -> [UInt8] { Array("log/\(sequence)".utf8) }

    /// Entry hash: SHA-256(0x00 ‖ u64 sequence ‖ LP(previous) ‖ LP(kind) ‖ LP(subject) ‖ LP(statement)).
    private static func leaf(
        _ sequence: Int64, after previous: [UInt8], kind: String, subject: String, _ statement: [UInt8]
    ) -> SHA256Digest {
        var bytes: [UInt8] = [0]
        bytes.appendBig(UInt64(sequence))
        for field in [previous, Array(kind.utf8), Array(subject.utf8), statement] {
            bytes.appendBig(UInt32(field.count))
            bytes += field
        }
        return SHA256.digest(bytes)
    }

    /// What is signed of an entry.
    private static func message(_ leaf: SHA256Digest) -> [UInt8] { Array("coffer/1/log".utf8) + [0] + leaf.bytes }
}

/// An entry ready to be appended after one certain other.
struct VersionLogEntry: Sendable {
    let sequence: Int64
    /// The hash of the entry before.
    let previous: [UInt8]
    let subject: String
    let statement: Statement
    let leaf: SHA256Digest
    let signature: InstanceSignature
    let sealed: [UInt8]
    let storageKeyVersion: UInt32
}

/// A signed tree head: u64 size ‖ root ‖ u64 journal size ‖ LP(journal head) ‖ u64 time, after `"coffer/1/head"` ‖ 0x00.
struct LogHead: Sendable, Hashable {
    var size: Int64
    var root: SHA256Digest
    var journalSize: Int64
    var journalHead: [UInt8]
    var at: Int64

    var message: [UInt8] {
        var bytes = Array("coffer/1/head".utf8) + [0]
        bytes.appendBig(UInt64(size))
        bytes += root.bytes
        bytes.appendBig(UInt64(journalSize))
        bytes.appendBig(UInt32(journalHead.count))
        bytes += journalHead
        bytes.appendBig(UInt64(at))
        return bytes
    }

    init(size: Int64, root: SHA256Digest, journalSize: Int64, journalHead: [UInt8], at: Int64) {
        self.size = size
        self.root = root
        self.journalSize = journalSize
        self.journalHead = journalHead
        self.at = at
    }

    init(_ row: Row) throws {
        guard let root = SHA256Digest(bytes: try row.bytes("root")) else { throw FormatError("a head has no root") }
        self.init(
            size: try row.natural("size"), root: root, journalSize: try row.natural("journal_size"),
            journalHead: try row.bytes("journal_head"), at: try row.natural("at"))
    }
}
