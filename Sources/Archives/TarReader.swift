/// One member of a tar.
public struct TarMember: Sendable, Hashable {
    /// The checked name.
    public let name: EntryName
    /// File, directory or symbolic link; nil for hard links, devices and pipes.
    public let kind: MemberKind?
    /// Unix permission bits.
    public let permissions: UInt16
    /// Modification time in seconds since 1970.
    public let modified: Int64
    /// Target of a symbolic or hard link.
    public let linkTarget: [UInt8]
    /// Where the content lies in the archive.
    public let range: Range<Int>
}

/// Lists the members of a tar in memory: ustar, pax and GNU variants, without sparse files.
public enum TarReader {
    /// The members in archive order. Throws `ArchiveError` for what is malformed, unsafe or beyond the limits.
    public static func members(
        of bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits()
    ) throws(ArchiveError) -> [TarMember] {
        var members: [TarMember] = []
        var pending = Extension()
        var position = 0
        while position + TarBlock.size <= bytes.count {
            let block = parse(bytes, at: position)
            guard let header = block.header else {
                // Two zero blocks end the archive; GNU tar pads with more of them.
                guard block.isZero else {
                    throw .malformed(.tar, at: Int64(position), reason: "the header's checksum is wrong")
                }
                position += TarBlock.size
                continue
            }
            let start = position + TarBlock.size
            let size = header.isExtension ? header.contentBytes : (pending.size ?? header.contentBytes)
            guard size >= 0, size <= Int64(bytes.count - start) else {
                throw .truncated(.tar, at: Int64(start), needed: size, available: Int64(bytes.count - start))
            }
            let range = start..<(start + Int(size))
            position = start + Int(min(TarBlock.padded(size), Int64(bytes.count - start)))
            if header.isExtension {
                try pending.read(header.type, bytes[range], at: Int64(start))
                continue
            }
            guard members.count < limits.entries else {
                throw .limit(
                    .entries, member: nil, value: Int64(members.count) + 1, allowed: Int64(limits.entries))
            }
            members.append(try member(header, pending, range: range, limits: limits))
            pending = Extension()
        }
        return members
    }

    private static func parse(_ bytes: [UInt8], at position: Int) -> (header: TarBlock?, isZero: Bool) {
        bytes.withUnsafeBytes { raw in
            let block = UnsafeRawBufferPointer(rebasing: raw[position..<(position + TarBlock.size)])
            return (TarBlock(block), TarBlock.isZero(block))
        }
    }

    private static func member(
        _ header: TarBlock, _ pending: Extension, range: Range<Int>, limits: ArchiveLimits
    ) throws(ArchiveError) -> TarMember {
        let name = try EntryName(checking: pending.name ?? header.name, longest: limits.nameBytes)
        let kind: MemberKind? =
            switch header.type {
            case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): name.hadTrailingSlash ? .directory : .file
            case UInt8(ascii: "2"): .symlink
            case UInt8(ascii: "5"): .directory
            case UInt8(ascii: "S"):
                throw .unsupported(.tar, member: name.description, reason: "it is a sparse file")
            default: nil
            }
        return TarMember(
            name: name, kind: kind, permissions: header.mode & 0o7777, modified: pending.modified ?? header.modified,
            linkTarget: pending.linkTarget ?? header.linkTarget, range: range)
    }

    /// What pax headers and GNU's long names say about the next member.
    private struct Extension {
        var name: [UInt8]?
        var linkTarget: [UInt8]?
        var size: Int64?
        var modified: Int64?

        mutating func read(_ type: UInt8, _ content: ArraySlice<UInt8>, at: Int64) throws(ArchiveError) {
            switch type {
            case UInt8(ascii: "L"): name = Array(content.prefix { $0 != 0 })
            case UInt8(ascii: "K"): linkTarget = Array(content.prefix { $0 != 0 })
            case UInt8(ascii: "x"): try readRecords(content, at: at)
            default: break
            }
        }

        /// Records of the form `LENGTH KEY=VALUE\n`, where the length counts the whole record.
        private mutating func readRecords(_ content: ArraySlice<UInt8>, at: Int64) throws(ArchiveError) {
            var rest = content
            while let space = rest.firstIndex(of: 0x20) {
                guard let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length <= rest.count,
                    length > space - rest.startIndex + 1
                else { throw .malformed(.tar, at: at, reason: "a pax record's length is wrong") }
                let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
                rest = rest.dropFirst(length)
                guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let value = record[(equals + 1)...]
                switch String(decoding: record[..<equals], as: UTF8.self) {
                case "path": name = Array(value)
                case "linkpath": linkTarget = Array(value)
                case "size": size = Int64(String(decoding: value, as: UTF8.self))
                case "mtime": modified = Int64(String(decoding: value.prefix { $0 != 0x2E }, as: UTF8.self))
                default: break
                }
            }
        }
    }
}
