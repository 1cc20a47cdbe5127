import Catalog
import Cryptography
public import Foundation

/// How far the logs of an instance had come, kept beside the root key and not in the database: a database that is behind it
/// was put back.
public struct HighWaterMark: Codable, Sendable, Equatable {
    /// Entries of the version log.
    public let logSize: Int64
    /// The hash of its last entry, in hexadecimal.
    public let logHead: String
    /// Entries of the security journal.
    public let journalSize: Int64
    /// The code of its last entry, in hexadecimal.
    public let journalHead: String
    /// When it was written.
    public let at: Date

    /// A mark.
    public init(logSize: Int64, logHead: String, journalSize: Int64, journalHead: String, at: Date) {
        self.logSize = logSize
        self.logHead = logHead
        self.journalSize = journalSize
        self.journalHead = journalHead
        self.at = at
    }
}

extension KeyHierarchy {
    private static func markPath(_ location: RootLocation) -> String { location.directory + "/highwater.cfse" }

    private static func markName(_ root: RootKey) -> String { "highwater/\(Hex.encode(root.instance))" }

    /// The security journal's length and the code of its last entry.
    public func journalHead() async throws -> (size: Int64, code: [UInt8]) {
        try await catalog.read { transaction in
            let row = try transaction.row("SELECT sequence, chain FROM key_journal ORDER BY sequence DESC LIMIT 1")
            guard let row else { return (0, []) }
            return (try row.int64("sequence"), try row.bytes("chain"))
        }
    }

    /// Writes how far the logs have come, sealed under the root key, beside the root. What it says is on disk already.
    public func writeHighWaterMark(logSize: Int64, logHead: [UInt8]) async throws {
        let root = try unsealed().root
        let journal = try await journalHead()
        let mark = HighWaterMark(
            logSize: logSize, logHead: Hex.encode(logHead), journalSize: journal.size,
            journalHead: Hex.encode(journal.code), at: now())
        let location = location
        try await offPool { try Self.store(mark, root, location) }
    }

    /// The mark as it was last written; nil when there is none. Throws `tampered` when it does not open.
    public func highWaterMark() async throws -> HighWaterMark? {
        let root = try unsealed().root
        let location = location
        return try await offPool { try Self.loadMark(root, location) }
    }

    /// What is wrong with the security journal, compared with the mark; nil when it goes on from there.
    public func journalProblem(against mark: HighWaterMark) async throws -> String? {
        if mark.journalSize == 0 { return nil }
        let row = try await catalog.read {
            try $0.row("SELECT chain FROM key_journal WHERE sequence = ?", mark.journalSize)
        }
        let size = try await journalHead().size
        guard let row else {
            return "the security journal has \(size) entries; it had \(mark.journalSize) at \(Self.text(mark.at))"
        }
        guard constantTimeEqual(try row.bytes("chain"), Hex.decode(mark.journalHead) ?? []) else {
            return
                "entry \(mark.journalSize) of the security journal is not the one that was there at \(Self.text(mark.at))"
        }
        return nil
    }

    /// A time as messages show it.
    public static func text(_ time: Date) -> String { time.formatted(.iso8601) }

    /// Seals the mark under a new root; part of finishing a rotation of the root.
    static func rewrapMark(_ root: RootKey, _ location: RootLocation) throws {
        guard let mark = try loadMark(root, location) else { return }
        try store(mark, root, location)
    }

    private static func store(_ mark: HighWaterMark, _ root: RootKey, _ location: RootLocation) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .millisecondsSince1970
        let text = SecretBytes(copying: Array(try encoder.encode(mark)))
        let sealed = try SealedEnvelope.seal(
            text, under: root.secret, keyVersion: root.generation, type: .highWaterMark, name: markName(root))
        try sealed.withUnsafeBytes { try SecureFile.write(markPath(location), $0) }
    }

    private static func loadMark(_ root: RootKey, _ location: RootLocation) throws -> HighWaterMark? {
        let path = markPath(location)
        guard SecureFile.exists(path) else { return nil }
        let sealed = try SecureFile.read(path).disclosing()
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .millisecondsSince1970
        do {
            let generation = try SealedEnvelope.keyVersion(of: sealed)
            guard let secret = root.secret(generation: generation) else {
                throw KeyFormatError("CFSE", "it is sealed under root generation \(generation)")
            }
            let text = try SealedEnvelope.open(sealed, under: secret, type: .highWaterMark, name: markName(root))
            return try decoder.decode(HighWaterMark.self, from: Data(text.disclosing()))
        } catch let error as KeyFormatError {
            throw KeyError(
                .tampered, "The high-water mark \(path) was altered or is another instance's: \(error.reason).")
        }
    }
}
