import Compression

/// Builds a small deterministic zip in memory: same members, same bytes.
///
/// Members are written in tree order whatever order they were added in. For archives too large for memory, compute a
/// `ZipLayout` and supply the payloads.
public struct ZipBuilder {
    private var members: [(entry: ZipEntry, payload: [UInt8])] = []

    /// An empty archive.
    public init() {}

    /// Adds a file, deflated where that makes it smaller.
    public mutating func add(
        file name: String, permissions: UInt16 = 0o644, _ content: [UInt8], compress: Bool = true
    ) throws {
        try append(name, permissions, .file, content, compress: compress)
    }

    /// Adds a directory.
    public mutating func add(directory name: String, permissions: UInt16 = 0o755) throws {
        try append(name, permissions, .directory, [], compress: false)
    }

    /// Adds a symbolic link.
    public mutating func add(symlink name: String, target: String) throws {
        try append(name, 0o777, .symlink, Array(target.utf8), compress: false)
    }

    /// The archive's bytes.
    public func archive() throws -> [UInt8] {
        let sorted = try members.map { (name: try EntryName(checking: $0.entry.name, from: .ownTree), member: $0) }
            .sorted { $0.name < $1.name }.map(\.member)
        let layout = try ZipLayout(entries: sorted.map(\.entry))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(layout.totalBytes))
        for segment in layout.segments {
            switch segment {
            case .literal(let header): bytes += header
            case .payload(let entry, let range):
                bytes += sorted[entry].payload[Int(range.lowerBound)..<Int(range.upperBound)]
            }
        }
        return bytes
    }

    private mutating func append(
        _ name: String, _ permissions: UInt16, _ kind: MemberKind, _ content: [UInt8], compress: Bool
    ) throws {
        var payload = content
        var method = ZipMethod.stored
        if compress, content.count > 64 {
            // zlib, so that the same members give the same bytes whatever accelerators are installed.
            let packed = try Deflater(level: 6, encoder: .zlib).compressFinal(content)
            if packed.count < content.count {
                payload = packed
                method = .deflate
            }
        }
        let entry = ZipEntry(
            name: Array(name.utf8), permissions: permissions, kind: kind, method: method,
            crc32: CRC32.checksum(content), compressedSize: Int64(payload.count),
            uncompressedSize: Int64(content.count))
        members.append((entry, payload))
    }
}
