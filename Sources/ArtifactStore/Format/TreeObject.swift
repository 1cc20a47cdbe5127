import Cryptography

/// A directory as its parent or a version's root carries it.
///
/// Its encoding has two parts. The stable one holds names, modes and the capabilities to content; the volatile one holds
/// what a rebuild of the same content changes: headers with times in them, kept as literals, and the hashes that depend on
/// them. A rebuild that only touches such headers shares the stable parts of all its directories.
struct DirectoryContent: Hashable, Sendable {
    /// Where the encoding is.
    enum Place: Hashable, Sendable {
        /// In the parent, for small directories.
        case inline(stable: [UInt8], volatile: [UInt8])
        /// In a record of its own; the volatile part in another or, when small, in the parent.
        case record(Ref, volatile: Volatile)
    }

    enum Volatile: Hashable, Sendable {
        case inline([UInt8])
        case record(Ref)
    }

    /// Merkle root: depends on names, modes and contents, not on domain or encoding.
    var treeID: SHA256Digest
    var place: Place

    /// Parts up to this many bytes live in their parent.
    static let inlineMaximum = 1536
}

/// One name in a directory.
struct TreeEntry: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        case file(FileContent)
        case directory(DirectoryContent)
        case symlink([UInt8])
    }

    var name: [UInt8]
    var mode: UInt32
    var content: Content

    /// The bytes that the Merkle root hashes: `kind ‖ mode ‖ name ‖ digest`, with lengths.
    func identity(into writer: inout CanonicalWriter) {
        switch content {
        case .file(let file):
            writer.byte(0)
            writer.integer(UInt64(mode))
            writer.string(name)
            writer.integer(UInt64(file.byteCount))
            writer.digest(file.digest)
        case .directory(let directory):
            writer.byte(1)
            writer.integer(UInt64(mode))
            writer.string(name)
            writer.digest(directory.treeID)
        case .symlink(let target):
            writer.byte(2)
            writer.integer(UInt64(mode))
            writer.string(name)
            writer.string(target)
        }
    }
}

/// The record of a directory: its entries sorted bytewise by name, or, above 2,048 entries or 8 KiB, sixteen directories by
/// the next four bits of SHA-256 of the name.
enum TreeObject: Sendable {
    case entries([TreeEntry])
    case split([DirectoryContent?])

    static let entriesMaximum = 2048

    /// The two parts; the volatile one is empty when there is nothing volatile.
    func encode() -> (stable: [UInt8], volatile: [UInt8]) {
        var writer = TreeCoder()
        writer.stable.byte(1)
        writer.stable.byte(RecordKind.tree.rawValue)
        switch self {
        case .entries(let entries):
            writer.stable.byte(0)
            writer.stable.integer(entries.count)
            for entry in entries { writer.entry(entry) }
        case .split(let parts):
            writer.stable.byte(1)
            for part in parts {
                if let part { writer.directory(part) } else { writer.stable.byte(2) }
            }
        }
        return (writer.stable.bytes, writer.volatile.bytes)
    }

    init(stable: [UInt8], volatile: [UInt8]) throws {
        var reader = TreeDecoder(stable: CanonicalReader(stable), volatile: CanonicalReader(volatile))
        guard try reader.stable.byte() == 1, try reader.stable.byte() == RecordKind.tree.rawValue else {
            throw FormatError("it is not a directory of format 1")
        }
        switch try reader.stable.byte() {
        case 0:
            let count = try reader.stable.count(limit: Self.entriesMaximum)
            var entries: [TreeEntry] = []
            entries.reserveCapacity(min(count, stable.count))
            for _ in 0..<count {
                let entry = try reader.entry()
                if let last = entries.last, !last.name.lexicographicallyPrecedes(entry.name) {
                    throw FormatError("its names are not in order")
                }
                entries.append(entry)
            }
            self = .entries(entries)
        case 1:
            var parts: [DirectoryContent?] = []
            for _ in 0..<16 { parts.append(try reader.optionalDirectory()) }
            self = .split(parts)
        case let kind: throw FormatError("a directory has the unknown shape \(kind)")
        }
        try reader.stable.end()
        try reader.volatile.end()
    }

    /// The Merkle root of a directory with these entries, however it is split and encoded.
    static func treeID(_ entries: [TreeEntry]) -> SHA256Digest {
        var hash = TreeIDHash()
        for entry in entries { hash.add(entry) }
        return hash.finish()
    }

    /// Every record that the two parts name, those of inlined directories included.
    func refs() throws -> (stable: [Ref], volatile: [Ref]) {
        var stable: [Ref] = []
        var volatile: [Ref] = []
        func add(_ directory: DirectoryContent) throws {
            let refs = try directory.refs()
            stable += refs.stable
            volatile += refs.volatile
        }
        switch self {
        case .entries(let entries):
            for entry in entries {
                switch entry.content {
                case .file(let file): stable += file.refs
                case .directory(let directory): try add(directory)
                case .symlink: break
                }
            }
        case .split(let parts):
            for case let part? in parts { try add(part) }
        }
        return (stable, volatile)
    }
}

/// Computes a Merkle root from entries that come one by one, in the order of their names.
struct TreeIDHash {
    private var hash = SHA256()

    init() { hash.update([0]) }

    mutating func add(_ entry: TreeEntry) {
        var writer = CanonicalWriter()
        entry.identity(into: &writer)
        hash.update(writer.bytes)
    }

    mutating func finish() -> SHA256Digest { hash.finish() }
}

extension DirectoryContent {
    func refs() throws -> (stable: [Ref], volatile: [Ref]) {
        switch place {
        case .inline(let stable, let volatile): try TreeObject(stable: stable, volatile: volatile).refs()
        case .record(let ref, .inline): ([ref], [])
        case .record(let ref, .record(let volatile)): ([ref], [volatile])
        }
    }
}

extension TreeObject {
    /// Whether `name` can be one name in a directory: not empty, no `/`, no NUL, neither `.` nor `..`, at most 255 bytes.
    static func isValidName(_ name: [UInt8]) -> Bool {
        !name.isEmpty && name.count <= 255 && !name.contains(0x2F) && !name.contains(0) && name != [0x2E]
            && name != [0x2E, 0x2E]
    }
}
