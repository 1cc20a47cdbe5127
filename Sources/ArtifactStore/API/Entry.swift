public import Cryptography

/// One file, directory or symlink of a version.
public struct Entry: Sendable, Hashable {
    /// What an entry is.
    public enum Kind: String, Sendable, Codable {
        case file
        case directory
        case symlink
    }

    /// Path from the root, `/` between names, no leading slash. Names that are not UTF-8 show replacement characters.
    public let path: String
    /// The path's bytes as they were, for names that are not UTF-8.
    public let rawPath: [UInt8]
    /// File, directory or symlink.
    public let kind: Kind
    /// Permission bits, 0…0o7777.
    public let mode: UInt32
    /// Bytes of a file; 0 for a directory; length of a symlink's target.
    public let size: Int64
    /// SHA-256 of a file's bytes or of a symlink's target; Merkle root of a directory. For a member of an uploaded ZIP,
    /// which is read on demand, nil.
    public let contentID: SHA256Digest?
    /// CRC-32 of a file's bytes.
    public let crc32: UInt32?
    /// Where a symlink points. Bytes that are not UTF-8 show as replacement characters.
    public let linkTarget: String?
    /// The target's bytes as they were.
    public let rawLinkTarget: [UInt8]?
    /// Set when the entry was found inside an uploaded archive, whose own directory was read rather than a tree.
    public let isArchiveMember: Bool

    /// Whether the owner may execute the file.
    public var isExecutable: Bool { kind == .file && mode & 0o100 != 0 }

    /// The last component of `path`.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    init(
        rawPath: [UInt8], kind: Kind, mode: UInt32, size: Int64, contentID: SHA256Digest?, crc32: UInt32? = nil,
        linkTarget: [UInt8]? = nil, isArchiveMember: Bool = false
    ) {
        self.rawPath = rawPath
        self.path = String(decoding: rawPath, as: UTF8.self)
        self.kind = kind
        self.mode = mode
        self.size = size
        self.contentID = contentID
        self.crc32 = crc32
        rawLinkTarget = linkTarget
        self.linkTarget = linkTarget.map { String(decoding: $0, as: UTF8.self) }
        self.isArchiveMember = isArchiveMember
    }
}
