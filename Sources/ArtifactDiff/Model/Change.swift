/// What kind of thing a path names.
public enum NodeKind: String, Sendable, Hashable, Codable {
    /// A regular file.
    case file
    /// A directory.
    case directory
    /// A symbolic link; its content is the target.
    case symlink
}

/// What happened to a path between two trees.
public enum ChangeStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Only in the new tree.
    case added
    /// Only in the old tree.
    case removed
    /// In both, with different content.
    case changed
    /// In both, same content, different permissions.
    case modeChanged
    /// In both, but a file became a directory, a link, or the reverse.
    case kindChanged
    /// Moved, with the same or similar content.
    case renamed
}

/// What a difference consists of. Everything but `content` is known not to change what the artifact does, or to follow
/// from other changes.
public enum ChangeClass: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// The content itself.
    case content
    /// Permission bits.
    case mode
    /// Times, names or system in gzip headers.
    case gzipHeader
    /// The same bytes, compressed otherwise.
    case compression
    /// Times recorded by an archive for its members.
    case archiveTimes
    /// The order of members in an archive.
    case entryOrder
    /// Owners, comments, padding and other records of an archive.
    case archiveMetadata
    /// Time, size or hash of the source in a pyc header.
    case pycHeader
    /// CR LF against LF.
    case lineEndings
    /// Spaces, tabs and empty lines.
    case whitespace
    /// Dates and times written into content.
    case dates
    /// Build identifiers and debug links of ELF files.
    case buildID
    /// Checksums of other members, as a wheel's RECORD lists them.
    case checksums

    /// Whether the difference can be ignored by someone who asks what the artifact does.
    public var isNoise: Bool {
        switch self {
        case .content, .mode: false
        default: true
        }
    }

    /// In the order of declaration.
    public static func < (left: ChangeClass, right: ChangeClass) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// One side of a change.
public struct ChangeSide: Sendable, Hashable, Codable {
    /// File, directory or link.
    public var kind: NodeKind
    /// Permission bits.
    public var mode: UInt32
    /// Bytes.
    public var size: Int64
    /// SHA-256 of the content in hexadecimal, where it is known without reading.
    public var digest: String?
    /// Where a link points.
    public var linkTarget: String?

    /// One side of a change.
    public init(kind: NodeKind, mode: UInt32, size: Int64, digest: String? = nil, linkTarget: String? = nil) {
        self.kind = kind
        self.mode = mode
        self.size = size
        self.digest = digest
        self.linkTarget = linkTarget
    }
}

/// One path that differs.
public struct Change: Sendable, Hashable, Codable {
    /// The path, in the new tree unless it was removed; invalid UTF-8 is repaired.
    public var path: String
    /// The path's exact bytes as hexadecimal, present only where `path` had to be repaired.
    public var rawPath: String?
    /// Where a renamed file was.
    public var oldPath: String?
    /// The old path's exact bytes as hexadecimal, present only where `oldPath` had to be repaired.
    public var rawOldPath: String?
    /// What happened.
    public var status: ChangeStatus
    /// The old state, nil when added.
    public var old: ChangeSide?
    /// The new state, nil when removed.
    public var new: ChangeSide?
    /// How much of a renamed file is the same, in percent.
    public var similarity: Int?
    /// What the difference consists of, sorted.
    public var classes: [ChangeClass]
    /// The content compared, where that was asked for and possible.
    public var content: ContentChange?

    /// One path that differs.
    public init(
        path: String, rawPath: String? = nil, oldPath: String? = nil, status: ChangeStatus, old: ChangeSide?,
        new: ChangeSide?, similarity: Int? = nil, classes: [ChangeClass], content: ContentChange? = nil
    ) {
        self.path = path
        self.rawPath = rawPath
        self.oldPath = oldPath
        self.status = status
        self.old = old
        self.new = new
        self.similarity = similarity
        self.classes = classes
        self.content = content
    }

    /// Whether everything about the change is noise.
    public var isNoise: Bool { status == .changed && !classes.isEmpty && classes.allSatisfy(\.isNoise) }

    /// New size minus old size.
    public var sizeDelta: Int64 { (new?.size ?? 0) - (old?.size ?? 0) }
}
