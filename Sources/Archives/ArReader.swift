/// One member of an `ar` archive.
public struct ArMember: Sendable, Hashable {
    /// The name as bytes; symbol tables are called `/` or `__.SYMDEF`.
    public let name: [UInt8]
    /// Unix permission bits.
    public let permissions: UInt16
    /// Modification time in seconds since 1970.
    public let modified: Int64
    /// Where the content lies in the archive.
    public let range: Range<Int>
}

/// Lists the members of an `ar` in memory, with GNU and BSD long names.
public enum ArReader {
    /// The members in archive order, without GNU's table of long names.
    public static func members(
        of bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits()
    ) throws(ArchiveError) -> [ArMember] {
        guard bytes.starts(with: ArFormat.magic) else {
            throw .malformed(.ar, at: 0, reason: "the magic is not that of an ar")
        }
        var members: [ArMember] = []
        var longNames: ArraySlice<UInt8> = []
        var position = ArFormat.magic.count
        while position + ArFormat.headerBytes <= bytes.count {
            let parsed = bytes.withUnsafeBytes { raw in
                ArFormat.Header(
                    UnsafeRawBufferPointer(rebasing: raw[position..<(position + ArFormat.headerBytes)]))
            }
            guard let header = parsed else {
                throw .malformed(.ar, at: Int64(position), reason: "a member header was expected")
            }
            let start = position + ArFormat.headerBytes
            guard header.size <= Int64(bytes.count - start) else {
                throw .truncated(.ar, at: Int64(start), needed: header.size, available: Int64(bytes.count - start))
            }
            let end = start + Int(header.size)
            position = end + Int(header.size & 1)
            if header.name == [0x2F, 0x2F] {
                longNames = bytes[start..<end]
                continue
            }
            guard members.count < limits.entries else {
                throw .limit(.entries, member: nil, value: Int64(members.count) + 1, allowed: Int64(limits.entries))
            }
            let data = (start + header.inlineNameBytes)..<end
            let inline = bytes[start..<data.lowerBound]
            members.append(
                ArMember(
                    name: name(header, inline: inline, longNames: longNames), permissions: header.mode & 0o7777,
                    modified: header.modified, range: data))
        }
        return members
    }

    private static func name(
        _ header: ArFormat.Header, inline: ArraySlice<UInt8>, longNames: ArraySlice<UInt8>
    ) -> [UInt8] {
        if header.inlineNameBytes > 0 { return Array(inline.prefix { $0 != 0 }) }
        let name = header.name
        let slash = UInt8(ascii: "/")
        // GNU: `/123` is an offset into the table of names, which end in `/` and a line feed.
        if name.count > 1, name[0] == slash, let offset = Int(String(decoding: name.dropFirst(), as: UTF8.self)),
            offset >= 0, offset < longNames.count
        {
            let rest = longNames.dropFirst(offset).prefix { $0 != 0x0A }
            return Array(rest.last == slash ? rest.dropLast() : rest)
        }
        return name.count > 1 && name.last == slash ? Array(name.dropLast()) : name
    }
}
