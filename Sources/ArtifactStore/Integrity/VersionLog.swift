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
    /// Lets one at a time make a head.
    let headGate = Gate()

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
        let last = try transaction.row("SELECT sequence, leaf FROM store_log ORDER BY sequence DESC LIMIT 1")
        let sequence = (try last?.int64("sequence") ?? 0) + 1
        let plain = try statement.encoded()
        let leaf = Self.leaf(
            sequence, after: try last?.bytes("leaf") ?? [], kind: statement.kind.rawValue, subject: subject, plain)
        let signature = try signer.sign(Self.message(leaf), version: version)
        let current = ring.current
        let sealed = try SealedEnvelope.seal(
            plain, type: .statement, version: current.version, key: current.key, name: Self.name(sequence))
        try transaction.execute(
            """
            INSERT INTO store_log (sequence, kind, subject, statement, leaf, key_version, signature)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, sequence, statement.kind.rawValue, subject, sealed, leaf.bytes, signature.keyVersion,
            signature.bytes)
        return sequence
    }

    /// The last entry's sequence and hash.
    static func last(_ transaction: Transaction) throws -> (size: Int64, leaf: [UInt8]) {
        let row = try transaction.row("SELECT sequence, leaf FROM store_log ORDER BY sequence DESC LIMIT 1")
        guard let row else { return (0, []) }
        return (try row.int64("sequence"), try row.bytes("leaf"))
    }

    /// The statement of an entry. Throws `FormatError` when it does not open.
    func statement(_ row: Row) throws -> (plain: [UInt8], statement: Statement) {
        let sealed = try row.bytes("statement")
        let key = try ring.fetched(version: try SealedEnvelope.version(of: sealed))
        let plain = try SealedEnvelope.open(
            sealed, type: .statement, key: key, name: Self.name(try row.int64("sequence")))
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
            keyVersion: UInt32(try row.int64("key_version")), bytes: try row.bytes("signature"))
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
            size: try row.int64("size"), root: root, journalSize: try row.int64("journal_size"),
            journalHead: try row.bytes("journal_head"), at: try row.int64("at"))
    }
}
