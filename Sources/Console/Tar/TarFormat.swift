/// One member of a tar stream, as far as artifacts care: times and owners are left out.
package struct TarMember: Sendable, Hashable {
    package enum Kind: Sendable, Hashable { case file, directory, symlink }
    /// Raw bytes, components separated by `/`, no slash at either end.
    package var path: [UInt8]
    package var kind: Kind
    /// Permission bits.
    package var mode: UInt32
    /// Bytes of a file's content.
    package var size: Int64
    /// Where a symlink points.
    package var target: [UInt8]

    package init(path: [UInt8], kind: Kind, mode: UInt32, size: Int64 = 0, target: [UInt8] = []) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.size = size
        self.target = target
    }
}

/// The tar format (POSIX.1-2017, pax: "ustar Interchange Format" and extended headers), in which directories travel from
/// the command line to the server.
package enum TarFormat {
    package static let blockBytes = 512
    /// What ends an archive: two blocks of zeros.
    package static let end = [UInt8](repeating: 0, count: 2 * blockBytes)

    /// The zeros that fill up the last block of a content.
    package static func padding(after size: Int64) -> [UInt8] {
        [UInt8](repeating: 0, count: Int((Int64(blockBytes) - size % Int64(blockBytes)) % Int64(blockBytes)))
    }

    /// The header blocks of a member: one, and an extended header in front of it for what does not fit.
    package static func header(_ member: TarMember) -> [UInt8] {
        var records: [UInt8] = []
        if member.path.count > 99 { records += record("path", member.path) }
        if member.target.count > 99 { records += record("linkpath", member.target) }
        if member.size >= 1 << 33 { records += record("size", Array(String(member.size).utf8)) }
        var blocks: [UInt8] = []
        if !records.isEmpty {
            blocks += block(
                name: Array("PaxHeader".utf8), type: 0x78, mode: 0o644, size: Int64(records.count), link: [])
            blocks += records + padding(after: Int64(records.count))
        }
        let type: UInt8 =
            switch member.kind {
            case .file: 0x30
            case .symlink: 0x32
            case .directory: 0x35
            }
        let name = member.kind == .directory ? member.path.prefix(98) + [0x2F] : member.path.prefix(99)
        return blocks
            + block(
                name: Array(name), type: type, mode: member.mode, size: member.size >= 1 << 33 ? 0 : member.size,
                link: Array(member.target.prefix(99)))
    }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0A]
        var length = rest.count + 1
        while String(length).utf8.count + rest.count != length { length = String(length).utf8.count + rest.count }
        return Array(String(length).utf8) + rest
    }

    private static func block(name: [UInt8], type: UInt8, mode: UInt32, size: Int64, link: [UInt8]) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockBytes)
        func put(_ bytes: [UInt8], _ offset: Int) { block.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
        func octal(_ value: Int64, _ digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8)
        }
        put(name, 0)
        put(octal(Int64(mode & 0o7777), 7), 100)
        put(octal(0, 7), 108)
        put(octal(0, 7), 116)
        put(octal(size, 11), 124)
        put(octal(0, 11), 136)
        put([UInt8](repeating: 0x20, count: 8), 148)
        block[156] = type
        put(link, 157)
        put(Array("ustar\u{0}00".utf8), 257)
        let sum = block.reduce(0) { $0 + Int64($1) }
        put(octal(sum, 6) + [0, 0x20], 148)
        return block
    }
}

/// What is wrong with a tar stream.
package struct TarError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
