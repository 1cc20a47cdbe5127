/// The container formats whose structure this module reads.
public enum ArchiveFormat: String, Sendable, Hashable, Codable, CaseIterable {
    /// PKWARE's APPNOTE.TXT 6.3.10: zip, and its relatives jar, war, whl, apk, nupkg.
    case zip
    /// RFC 1952.
    case gzip
    /// POSIX.1-2017 `pax`, ustar and GNU tar.
    case tar
    /// The common `ar` format of static libraries and Debian packages.
    case ar
    /// CPython's cached bytecode (PEP 552).
    case pyc
}

/// What a caller of a reader has bounded.
public enum ArchiveLimit: String, Sendable, Hashable {
    /// Number of entries in the archive.
    case entries
    /// Size of one member after expansion, in bytes.
    case memberBytes = "member bytes"
    /// Sum of all members after expansion, in bytes.
    case totalBytes = "total bytes"
    /// Expanded size divided by stored size.
    case ratio
    /// Size of the central directory or of a header, in bytes.
    case directoryBytes = "directory bytes"
    /// Length of one name, in bytes.
    case nameBytes = "name bytes"
}

/// Why an archive was refused: what was wrong, and where.
public enum ArchiveError: Error, Hashable, Sendable {
    /// A structure at byte offset `at` does not follow its format.
    case malformed(ArchiveFormat, at: Int64, reason: String)
    /// The bytes end before a structure does.
    case truncated(ArchiveFormat, at: Int64, needed: Int64, available: Int64)
    /// A member's name would be dangerous to use as a path.
    case unsafeName(name: String, reason: String)
    /// Two members have the same name.
    case duplicateName(name: String)
    /// One member is a file or a link, another lies below it as if it were a directory.
    case nameConflict(name: String, below: String)
    /// Two members claim the same bytes.
    case overlap(first: String, second: String, at: Int64)
    /// The member is well-formed, but needs something that this reader does not do.
    case unsupported(ArchiveFormat, member: String, reason: String)
    /// A limit that the caller has set would be exceeded.
    case limit(ArchiveLimit, member: String?, value: Int64, allowed: Int64)
    /// The expanded bytes are not those that were archived.
    case checksum(member: String, expected: UInt32, actual: UInt32)
    /// The expanded bytes are more or fewer than declared.
    case size(member: String, expected: Int64, actual: Int64)
    /// The compressed bytes are not a valid stream.
    case corrupt(member: String, reason: String)
    /// A symbolic link points outside the tree that is being unpacked.
    case unsafeLink(name: String, target: String, reason: String)
    /// No member has that name.
    case noSuchMember(name: String)
    /// The operating system refused.
    case system(operation: String, name: String, code: Int32)
}

extension ArchiveError: CustomStringConvertible {
    /// One sentence, safe to show.
    public var description: String {
        switch self {
        case .malformed(let format, let at, let reason):
            "not a valid \(format.rawValue) at byte \(at): \(reason)"
        case .truncated(let format, let at, let needed, let available):
            "the \(format.rawValue) ends too early: \(needed) bytes needed at byte \(at), \(available) there"
        case .unsafeName(let name, let reason):
            "the entry name '\(name)' is not allowed: \(reason)"
        case .duplicateName(let name):
            "the entry '\(name)' occurs twice"
        case .nameConflict(let name, let below):
            "'\(name)' is not a directory, yet '\(below)' lies below it"
        case .overlap(let first, let second, let at):
            "the entries '\(first)' and '\(second)' overlap at byte \(at)"
        case .unsupported(let format, let member, let reason):
            "the \(format.rawValue) entry '\(member)' cannot be read: \(reason)"
        case .limit(let limit, let member, let value, let allowed):
            "\(member.map { "the entry '\($0)'" } ?? "the archive") exceeds the limit of \(allowed) "
                + "\(limit.rawValue): \(value)"
        case .checksum(let member, let expected, let actual):
            "the entry '\(member)' is damaged: CRC-32 \(hex(actual)) where \(hex(expected)) was recorded"
        case .size(let member, let expected, let actual):
            "the entry '\(member)' is damaged: \(actual) bytes where \(expected) were recorded"
        case .corrupt(let member, let reason):
            "the entry '\(member)' is damaged: \(reason)"
        case .unsafeLink(let name, let target, let reason):
            "the symbolic link '\(name)' to '\(target)' is not allowed: \(reason)"
        case .noSuchMember(let name):
            "there is no entry '\(name)'"
        case .system(let operation, let name, let code):
            "\(operation) of '\(name)' failed: system error \(code)"
        }
    }
}

private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
}

/// Bounds that a caller sets before it opens an archive it does not trust.
public struct ArchiveLimits: Sendable, Hashable {
    /// Most entries in one archive.
    public var entries: Int
    /// Most bytes that one member may expand to.
    public var memberBytes: Int64
    /// Most bytes that all members together may expand to.
    public var totalBytes: Int64
    /// Largest expanded size divided by stored size, applied to members that expand to more than 1 MiB. Deflate itself
    /// cannot exceed 1,032, so the default only refuses what lies about it.
    public var ratio: Int64
    /// Most bytes of a central directory, read into memory as a whole.
    public var directoryBytes: Int64
    /// Longest name in bytes.
    public var nameBytes: Int
    /// Which names and links are taken.
    public var origin: ArchiveOrigin

    /// Limits, by default generous enough for any honest artifact.
    public init(
        entries: Int = 1_000_000, memberBytes: Int64 = 1 << 38, totalBytes: Int64 = 1 << 40, ratio: Int64 = 1_100,
        directoryBytes: Int64 = 1 << 28, nameBytes: Int = 4_096, origin: ArchiveOrigin = .anywhere
    ) {
        self.entries = entries
        self.memberBytes = memberBytes
        self.totalBytes = totalBytes
        self.ratio = ratio
        self.directoryBytes = directoryBytes
        self.nameBytes = nameBytes
        self.origin = origin
    }
}

/// Who made an archive.
public enum ArchiveOrigin: Sendable, Hashable {
    /// Anybody: what could lead out of the directory that it is unpacked into is refused, links included.
    case anywhere
    /// This program, of a tree that it holds: every name that a Unix directory can hold is a name, and links are kept as
    /// they are, wherever they lead. None is followed in writing.
    case ownTree
}
