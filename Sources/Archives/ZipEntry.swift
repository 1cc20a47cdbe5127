/// A member of a zip that is to be written: everything but its content.
public struct ZipEntry: Sendable, Hashable {
    /// The name without a trailing slash, as raw bytes; UTF-8 is flagged as such.
    public var name: [UInt8]
    /// Unix permission bits.
    public var permissions: UInt16
    /// File, directory or symbolic link.
    public var kind: MemberKind
    /// How the payload is stored: `.stored` or `.deflate`.
    public var method: ZipMethod
    /// CRC-32 of the expanded content.
    public var crc32: UInt32
    /// Length of the payload as it will be written.
    public var compressedSize: Int64
    /// Length of the expanded content.
    public var uncompressedSize: Int64

    /// Describes a member.
    public init(
        name: [UInt8], permissions: UInt16, kind: MemberKind, method: ZipMethod, crc32: UInt32, compressedSize: Int64,
        uncompressedSize: Int64
    ) {
        self.name = name
        self.permissions = permissions
        self.kind = kind
        self.method = method
        self.crc32 = crc32
        self.compressedSize = compressedSize
        self.uncompressedSize = uncompressedSize
    }

    /// A directory, which has no payload.
    public static func directory(_ name: [UInt8], permissions: UInt16 = 0o755) -> ZipEntry {
        ZipEntry(
            name: name, permissions: permissions, kind: .directory, method: .stored, crc32: 0, compressedSize: 0,
            uncompressedSize: 0)
    }
}

extension ZipEntry {
    /// Refuses what could not be read back: an unsafe or overlong name, sizes that contradict the method.
    func check() throws(ArchiveError) {
        try EntryName.checkCanonical(name, longest: Int(UInt16.max) - 1)
        let sizesAgree = method != .stored || compressedSize == uncompressedSize
        guard sizesAgree, compressedSize >= 0, uncompressedSize >= 0, compressedSize < 1 << 60,
            kind != .directory || compressedSize == 0
        else {
            throw .size(
                member: String(decoding: name, as: UTF8.self), expected: uncompressedSize, actual: compressedSize)
        }
        if case .other(let code) = method {
            throw .unsupported(
                .zip, member: String(decoding: name, as: UTF8.self), reason: "compression method \(code)")
        }
    }
}
