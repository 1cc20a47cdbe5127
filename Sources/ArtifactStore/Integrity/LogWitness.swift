import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Logging
import Synchronization

/// How far the logs of an instance had come, signed, as a witness outside keeps it. One line of JSON each.
///
/// The signature is Ed25519 over `"coffer/1/witness"` ‖ 0x00 ‖ LP(instance) ‖ u64 size ‖ root ‖ LP(leaf) ‖ u64 journal size ‖
/// LP(journal head) ‖ u64 time ‖ u8 supersedes, so whoever keeps such lines can check them without the instance.
public struct WitnessedHead: Codable, Sendable, Hashable {
    /// The instance's id, in hexadecimal.
    public let instance: String
    /// Entries of the version log.
    public let size: Int64
    /// Root of the Merkle tree over them (RFC 6962), in hexadecimal.
    public let root: String
    /// The hash of the last of them, which covers all before, in hexadecimal.
    public let leaf: String
    /// Entries of the security journal.
    public let journalSize: Int64
    /// The code of its last entry, in hexadecimal.
    public let journalHead: String
    /// When the head was made, in milliseconds since 1970.
    public let at: Int64
    /// Whether an operator put the database back on purpose: heads kept before this one count no more.
    public let supersedes: Bool
    /// Version of the signing key.
    public let keyVersion: UInt32
    /// Its public half as SubjectPublicKeyInfo, in hexadecimal.
    public let publicKey: String
    /// The signature, in hexadecimal.
    public let signature: String

    private var date: Date { Date(timeIntervalSince1970: Double(at) / 1000) }
    /// The time as messages show it.
    var time: String { date.formatted(.iso8601) }
    /// The same as a mark.
    var mark: HighWaterMark {
        HighWaterMark(logSize: size, logHead: leaf, journalSize: journalSize, journalHead: journalHead, at: date)
    }

    static func message(_ head: LogHead, leaf: [UInt8], instance: [UInt8], supersedes: Bool) -> [UInt8] {
        var bytes = Array("coffer/1/witness".utf8) + [0]
        func field(_ field: [UInt8]) {
            bytes.appendBig(UInt32(field.count))
            bytes += field
        }
        field(instance)
        bytes.appendBig(UInt64(head.size))
        bytes += head.root.bytes
        field(leaf)
        bytes.appendBig(UInt64(head.journalSize))
        field(head.journalHead)
        bytes.appendBig(UInt64(head.at))
        bytes.append(supersedes ? 1 : 0)
        return bytes
    }

    /// Signs a head for witnesses.
    init(_ head: LogHead, leaf: [UInt8], supersedes: Bool, signer: any StoreSigner) throws {
        instance = try signer.instanceID()
        let signature = try signer.sign(
            Self.message(
                head, leaf: leaf, instance: Hex.decode(instance) ?? [], supersedes: supersedes), version: nil)
        size = head.size
        root = Hex.encode(head.root.bytes)
        self.leaf = Hex.encode(leaf)
        journalSize = head.journalSize
        journalHead = Hex.encode(head.journalHead)
        at = head.at
        self.supersedes = supersedes
        keyVersion = signature.keyVersion
        publicKey = Hex.encode(try signer.publicKey().spki)
        self.signature = Hex.encode(signature.bytes)
    }

    /// Whether the instance signed it.
    func isSigned(by signer: any StoreSigner) throws -> Bool {
        guard let instance = Hex.decode(instance), let root = Hex.decode(root), let root = SHA256Digest(bytes: root),
            let leaf = Hex.decode(leaf), let journalHead = Hex.decode(journalHead),
            let signature = Hex.decode(signature), size >= 0, journalSize >= 0, at >= 0
        else { return false }
        let head = LogHead(size: size, root: root, journalSize: journalSize, journalHead: journalHead, at: at)
        return try signer.isValid(
            InstanceSignature(keyVersion: keyVersion, bytes: signature),
            on: Self.message(head, leaf: leaf, instance: instance, supersedes: supersedes))
    }
}

/// Keeps signed heads where a restored data directory does not reach.
public protocol LogWitness: Sendable {
    /// What messages call it.
    var name: String { get }
    /// The newest head that it keeps of an instance (its id in hexadecimal); nil when it keeps none. Throws when it cannot be
    /// asked.
    func newest(of instance: String) async throws -> WitnessedHead?
    /// Keeps a head; it is on disk, or wherever it belongs, when this returns.
    func keep(_ head: WitnessedHead) async throws
}

extension ArtifactStore {
    /// How long a witness may lag behind the log while the store is open.
    private static let witnessLag = Duration.seconds(15 * 60)

    private static func witnessMark(_ witness: any LogWitness) -> String { "witness:\(witness.name)" }

    /// What a witness says against this database; nil when the log goes on from what it saw.
    func problem(with witness: any LogWitness) async throws -> String? {
        let instance = try versionLog.signer.instanceID()
        guard let head = try await witness.newest(of: instance) else {
            let known = try await catalog.read {
                try $0.row("SELECT value FROM store_state WHERE name = ?", Self.witnessMark(witness))
            }
            guard let size = try known?.int64("value") else { return nil }
            return "the witness \(witness.name) has nothing about this instance; it was told of \(size) entries before"
        }
        versionLog.witnessed.withLock { places in
            if places[witness.name] == nil { places[witness.name] = WitnessedPlace(head, at: nil) }
        }
        guard try head.isSigned(by: versionLog.signer) else {
            return
                "the witness \(witness.name) keeps a head of \(head.time) whose signature no key of this database made"
        }
        let (size, leaf) = try await catalog.read { transaction in
            let leaf = try transaction.row("SELECT leaf FROM store_log WHERE sequence = ?", head.size)?.bytes("leaf")
            return (try VersionLog.last(transaction).size, leaf)
        }
        if head.size > size {
            return
                "the version log has \(size) entries; the witness \(witness.name) saw \(head.size) at \(head.time)"
        }
        if head.size > 0, !constantTimeEqual(leaf ?? [], Hex.decode(head.leaf) ?? []) {
            return
                "entry \(head.size) of the version log is not the one that the witness \(witness.name) saw at \(head.time)"
        }
        return try await versionLog.signer.journalProblem(against: head.mark).map { "\($0) (witness \(witness.name))" }
    }

    /// Tells the witnesses of the newest signed head what they have not been told: four times an hour at most, unless it
    /// must be now. One that cannot be reached is told the next time.
    func tellWitnesses(now isUrgent: Bool, supersedes: Bool = false) async throws {
        if witnesses.isEmpty { return }
        let last = try await catalog.read { transaction -> (LogHead, leaf: [UInt8])? in
            guard let row = try transaction.row("SELECT * FROM store_log_heads ORDER BY size DESC LIMIT 1") else {
                return nil
            }
            let head = try LogHead(row)
            let leaf = try transaction.row("SELECT leaf FROM store_log WHERE sequence = ?", head.size)?.bytes("leaf")
            return (head, leaf ?? [])
        }
        guard let (head, leaf) = last else { return }
        for witness in witnesses {
            let place = versionLog.witnessed.withLock { $0[witness.name] }
            if !supersedes, let place, place.isUp(to: head) { continue }
            if !isUrgent, let at = place?.at, ContinuousClock.now - at < Self.witnessLag { continue }
            do {
                let told = try WitnessedHead(head, leaf: leaf, supersedes: supersedes, signer: versionLog.signer)
                try await witness.keep(told)
                try await catalog.write { transaction in
                    _ = try transaction.execute(
                        """
                        INSERT INTO store_state (name, value) VALUES (?, ?)
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value
                        """,
                        Self.witnessMark(witness), told.size)
                }
                versionLog.witnessed.withLock { $0[witness.name] = WitnessedPlace(told, at: .now) }
            } catch {
                log.error("the witness \(witness.name) could not be told how far the version log has come: \(error)")
            }
        }
    }
}

/// What a witness was told last.
struct WitnessedPlace: Sendable {
    let size: Int64
    let journalSize: Int64
    /// When this process told it; nil: an earlier one did.
    let at: ContinuousClock.Instant?

    init(_ head: WitnessedHead, at: ContinuousClock.Instant?) {
        size = head.size
        journalSize = head.journalSize
        self.at = at
    }

    func isUp(to head: LogHead) -> Bool { size == head.size && journalSize == head.journalSize }
}
