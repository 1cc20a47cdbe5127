import Cryptography

/// A directory as its parent or a version's root carries it.
struct DirectoryContent: Hashable, Sendable {
    /// Where the directory's encoding is.
    enum Place: Hashable, Sendable {
        /// In the parent, for small directories.
        case inline([UInt8])
        /// In a record of its own.
        case record(Ref)
    }

    /// Merkle root: depends on names, modes and contents, not on domain or encoding.
    var treeID: SHA256Digest
    var place: Place

    /// Encodings up to this many bytes live in their parent.
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

/// The record of a directory: its entries sorted bytewise by name, or, above 2,048 entries, sixteen directories by the
/// next four bits of SHA-256 of the name.
enum TreeObject: Sendable {
    case entries([TreeEntry])
    case split([DirectoryContent?])

    static let entriesMaximum = 2048

    func encode() -> [UInt8] {
        var writer = CanonicalWriter()
        writer.byte(1)
        writer.byte(RecordKind.tree.rawValue)
        switch self {
        case .entries(let entries):
            writer.byte(0)
            writer.integer(entries.count)
            for entry in entries { writer.treeEntry(entry) }
        case .split(let parts):
            writer.byte(1)
            for part in parts {
                if let part { writer.directory(part) } else { writer.byte(2) }
            }
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws {
        var reader = CanonicalReader(bytes)
        guard try reader.byte() == 1, try reader.byte() == RecordKind.tree.rawValue else {
            throw FormatError("it is not a directory of format 1")
        }
        switch try reader.byte() {
        case 0:
            let count = try reader.count(limit: Self.entriesMaximum)
            var entries: [TreeEntry] = []
            entries.reserveCapacity(count)
            for _ in 0..<count {
                let entry = try reader.treeEntry()
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
        try reader.end()
    }

    /// The Merkle root.
    var treeID: SHA256Digest {
        var writer = CanonicalWriter()
        switch self {
        case .entries(let entries):
            writer.byte(0)
            for entry in entries { entry.identity(into: &writer) }
        case .split(let parts):
            writer.byte(1)
            for part in parts {
                writer.byte(part == nil ? 0 : 1)
                if let part { writer.digest(part.treeID) }
            }
        }
        return SHA256.digest(writer.bytes)
    }

    /// Every record that this directory leads to in one step, those of inlined directories included.
    func refs() throws -> [Ref] {
        var result: [Ref] = []
        switch self {
        case .entries(let entries):
            for entry in entries {
                switch entry.content {
                case .file(let file): result += file.refs
                case .directory(let directory): result += try directory.refs()
                case .symlink: break
                }
            }
        case .split(let parts):
            for case let part? in parts { result += try part.refs() }
        }
        return result
    }
}

extension DirectoryContent {
    func refs() throws -> [Ref] {
        switch place {
        case .inline(let bytes): try TreeObject(decoding: bytes).refs()
        case .record(let ref): [ref]
        }
    }
}

extension CanonicalWriter {
    mutating func treeEntry(_ entry: TreeEntry) {
        string(entry.name)
        integer(UInt64(entry.mode))
        switch entry.content {
        case .file(let file):
            byte(0)
            content(file)
        case .directory(let directory):
            byte(1)
            self.directory(directory)
        case .symlink(let target):
            byte(2)
            string(target)
        }
    }

    mutating func directory(_ directory: DirectoryContent) {
        switch directory.place {
        case .inline(let bytes):
            byte(0)
            string(bytes)
        case .record(let ref):
            byte(1)
            digest(directory.treeID)
            self.ref(ref, crc: false)
        }
    }
}

extension CanonicalReader {
    mutating func treeEntry() throws -> TreeEntry {
        let name = try string()
        guard TreeObject.isValidName(name) else { throw FormatError("a name in it is not allowed") }
        let mode = UInt32(try count(limit: 0o7777))
        switch try byte() {
        case 0: return TreeEntry(name: name, mode: mode, content: .file(try content()))
        case 1:
            guard let directory = try optionalDirectory() else { throw FormatError("a directory is missing") }
            return TreeEntry(name: name, mode: mode, content: .directory(directory))
        case 2: return TreeEntry(name: name, mode: mode, content: .symlink(try string()))
        case let kind: throw FormatError("an entry has the unknown kind \(kind)")
        }
    }

    mutating func optionalDirectory() throws -> DirectoryContent? {
        switch try byte() {
        case 0:
            let bytes = try string()
            guard bytes.count <= DirectoryContent.inlineMaximum else {
                throw FormatError("an inlined directory is too long")
            }
            return DirectoryContent(treeID: try TreeObject(decoding: bytes).treeID, place: .inline(bytes))
        case 1:
            let treeID = try digest()
            return DirectoryContent(treeID: treeID, place: .record(try ref(crc: false)))
        case 2: return nil
        case let kind: throw FormatError("a directory has the unknown place \(kind)")
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
