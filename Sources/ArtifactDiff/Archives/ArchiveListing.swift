import Archives
import Compression

/// The members of an archive in memory, in one shape for all formats.
struct ArchiveListing {
    /// One member.
    struct Member {
        var path: [UInt8]
        var kind: NodeKind
        var mode: UInt32
        var modified: Int64
        var size: Int64
        var crc32: UInt32?
        var linkTarget: [UInt8]?
        /// The bytes as they lie in the archive, for telling recompression from change.
        var stored: Range<Int>
        fileprivate var zip: ZipMember?

        var side: ChangeSide {
            ChangeSide(
                kind: kind, mode: mode, size: size,
                linkTarget: linkTarget.map { String(decoding: $0, as: UTF8.self) })
        }
    }

    let format: String
    let members: [Member]
    private let bytes: [UInt8]
    private let reader: LocalZipReader?

    /// Lists an archive by its signature; nil where the bytes are no archive that can be listed.
    /// Throws where they look like one but are damaged, unsafe or too large.
    init?(_ bytes: [UInt8], limits: ArchiveLimits) throws {
        self.bytes = bytes
        if bytes.starts(with: [0x50, 0x4B, 3, 4]) || bytes.starts(with: [0x50, 0x4B, 5, 6]) {
            let reader = try LocalZipReader(bytes, limits: limits)
            format = "zip"
            members = try reader.members.map { try Self.member($0, reader) }
            self.reader = reader
        } else if bytes.starts(with: Array("!<arch>\n".utf8)) {
            reader = nil
            format = "ar"
            members = try ArReader.members(of: bytes, limits: limits).map { Self.member($0) }
        } else if bytes.dropFirst(257).starts(with: Array("ustar".utf8)) {
            reader = nil
            format = "tar"
            members = try TarReader.members(of: bytes, limits: limits).compactMap { Self.member($0) }
        } else {
            return nil
        }
    }

    /// A member's content.
    func content(of member: Member) throws -> [UInt8] {
        if let zip = member.zip, let reader { return try reader.bytes(of: zip) }
        return Array(bytes[member.stored])
    }

    /// The bytes of a member as they lie in the archive.
    func stored(_ member: Member) -> ArraySlice<UInt8> { bytes[member.stored] }

    private static func member(_ zip: ZipMember, _ reader: LocalZipReader) throws -> Member {
        let range = try reader.dataRange(of: zip)
        return Member(
            path: zip.name.bytes, kind: kind(zip.kind), mode: UInt32(zip.permissions), modified: zip.modified,
            size: zip.uncompressedSize, crc32: zip.crc32,
            linkTarget: zip.kind == .symlink ? try reader.bytes(of: zip, upTo: 4_096) : nil,
            stored: Int(range.lowerBound)..<Int(range.upperBound), zip: zip)
    }

    private static func member(_ tar: TarMember) -> Member? {
        // Hard links and devices have no content of their own; they show as links to their target.
        let kind = tar.kind.map(kind) ?? .symlink
        guard !tar.name.bytes.isEmpty else { return nil }
        return Member(
            path: tar.name.bytes, kind: kind, mode: UInt32(tar.permissions), modified: tar.modified,
            size: Int64(tar.range.count), crc32: nil, linkTarget: kind == .symlink ? tar.linkTarget : nil,
            stored: tar.range, zip: nil)
    }

    private static func member(_ ar: ArMember) -> Member {
        Member(
            path: ar.name, kind: .file, mode: UInt32(ar.permissions), modified: ar.modified,
            size: Int64(ar.range.count),
            crc32: nil, linkTarget: nil, stored: ar.range, zip: nil)
    }

    private static func kind(_ kind: MemberKind) -> NodeKind {
        switch kind {
        case .file: .file
        case .directory: .directory
        case .symlink: .symlink
        }
    }
}
