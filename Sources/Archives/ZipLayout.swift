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

/// A piece of a zip, in order.
public enum ZipSegment: Sendable, Hashable {
    /// Bytes of headers or of the directory.
    case literal([UInt8])
    /// Part of a member's payload; the range counts from the payload's own start.
    case payload(entry: Int, range: Range<Int64>)

    /// Length in bytes.
    public var byteCount: Int64 {
        switch self {
        case .literal(let bytes): Int64(bytes.count)
        case .payload(_, let range): range.upperBound - range.lowerBound
        }
    }
}

/// The bytes of a zip around its payloads, computed from sizes alone, so that length and any range are known before a
/// payload is read.
///
/// The result depends on the entries and their order only: every date is 1980-01-01 00:00, the maker is Unix, ZIP64
/// records appear exactly where a field would overflow. The rule is frozen: stored presentations name it `zip-1`.
/// A deflate payload may be a concatenation of fragments that each end in a full flush, closed by
/// `Deflater.endOfStream`; `compressedSize` counts those two bytes.
public struct ZipLayout: Sendable {
    /// The entries, in the order in which they are written.
    public let entries: [ZipEntry]
    /// The whole archive's length.
    public let totalBytes: Int64

    /// Where each local header starts, then where the directory starts.
    private let localOffsets: [Int64]
    /// Where each directory entry starts, then where the end records start.
    private let centralOffsets: [Int64]

    /// Computes the layout. Throws where an entry could not be read back: unsafe or overlong names, duplicates, sizes
    /// that contradict the method.
    public init(entries: [ZipEntry]) throws(ArchiveError) {
        try Self.check(entries)
        self.entries = entries
        var offset: Int64 = 0
        var locals: [Int64] = []
        locals.reserveCapacity(entries.count + 1)
        for entry in entries {
            locals.append(offset)
            offset += Int64(entry.localHeaderBytes) + entry.compressedSize
        }
        locals.append(offset)
        var centrals: [Int64] = []
        centrals.reserveCapacity(entries.count + 1)
        for (index, entry) in entries.enumerated() {
            centrals.append(offset)
            offset += Int64(entry.centralHeaderBytes(localOffset: locals[index]))
        }
        centrals.append(offset)
        localOffsets = locals
        centralOffsets = centrals
        totalBytes = offset + Int64(Self.endRecords(locals, centrals).count)
    }

    /// Where the payload of an entry starts in the archive.
    public func payloadOffset(of entry: Int) -> Int64 {
        localOffsets[entry] + Int64(entries[entry].localHeaderBytes)
    }

    /// The pieces of a byte range, in order; made on demand, so that a large archive needs no memory for its headers.
    public func segments(in range: Range<Int64>) -> ZipSegments {
        ZipSegments(layout: self, range: range.clamped(to: 0..<totalBytes))
    }

    /// The pieces of the whole archive.
    public var segments: ZipSegments { segments(in: 0..<totalBytes) }

    private static func check(_ entries: [ZipEntry]) throws(ArchiveError) {
        var names: [EntryName] = []
        names.reserveCapacity(entries.count)
        for entry in entries {
            let name = try EntryName(checking: entry.name, longest: Int(UInt16.max) - 1)
            guard name.bytes == entry.name else {
                throw .unsafeName(name: String(decoding: entry.name, as: UTF8.self), reason: "it is not canonical")
            }
            names.append(name)
            let sizesAgree = entry.method != .stored || entry.compressedSize == entry.uncompressedSize
            guard sizesAgree, entry.compressedSize >= 0, entry.uncompressedSize >= 0,
                entry.compressedSize < 1 << 60, entry.kind != .directory || entry.compressedSize == 0
            else {
                throw .size(member: name.description, expected: entry.uncompressedSize, actual: entry.compressedSize)
            }
            if case .other(let code) = entry.method {
                throw .unsupported(.zip, member: name.description, reason: "compression method \(code)")
            }
        }
        try EntryName.checkTree(names) { entries[$0].kind == .directory }
    }

    // MARK: Elements in order: every local header and payload, every directory entry, the end records.

    /// The literal or payload that covers `offset`, as its own start and content.
    fileprivate func element(covering offset: Int64) -> (start: Int64, segment: ZipSegment) {
        if offset < (localOffsets.last ?? 0) {
            let index = Self.index(of: offset, in: localOffsets)
            let payload = payloadOffset(of: index)
            if offset < payload { return (localOffsets[index], .literal(entries[index].localHeader())) }
            return (payload, .payload(entry: index, range: 0..<entries[index].compressedSize))
        }
        let endOffset = centralOffsets.last ?? 0
        if offset < endOffset {
            let index = Self.index(of: offset, in: centralOffsets)
            return (centralOffsets[index], .literal(entries[index].centralHeader(localOffset: localOffsets[index])))
        }
        return (endOffset, .literal(Self.endRecords(localOffsets, centralOffsets)))
    }

    /// The last index whose start is at or before `offset`; starts ascend strictly because headers are never empty.
    private static func index(of offset: Int64, in starts: [Int64]) -> Int {
        var low = 0
        var high = starts.count - 1
        while low + 1 < high {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        return low
    }

    private static func endRecords(_ locals: [Int64], _ centrals: [Int64]) -> [UInt8] {
        let count = locals.count - 1
        let start = locals.last ?? 0
        let end = centrals.last ?? 0
        let size = end - start
        let needs64 =
            count >= Int(ZipFormat.max16) || start >= Int64(ZipFormat.max32) || size >= Int64(ZipFormat.max32)
        var bytes: [UInt8] = []
        if needs64 {
            bytes.append(little: ZipFormat.end64Signature)
            bytes.append(little: UInt64(ZipFormat.end64Bytes - 12))
            bytes.append(little: ZipEntry.madeBy)
            bytes.append(little: UInt16(45))
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt64(count))
            bytes.append(little: UInt64(count))
            bytes.append(little: UInt64(size))
            bytes.append(little: UInt64(start))
            bytes.append(little: ZipFormat.locator64Signature)
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt64(end))
            bytes.append(little: UInt32(1))
        }
        bytes.append(little: ZipFormat.endSignature)
        bytes.append(little: UInt32(0))
        bytes.append(little: UInt16(clamping: count))
        bytes.append(little: UInt16(clamping: count))
        bytes.append(little: UInt32(clamping: size))
        bytes.append(little: UInt32(clamping: start))
        bytes.append(little: UInt16(0))
        return bytes
    }
}

/// The pieces of a range of a zip.
public struct ZipSegments: Sequence, IteratorProtocol, Sendable {
    private let layout: ZipLayout
    private var offset: Int64
    private let end: Int64

    init(layout: ZipLayout, range: Range<Int64>) {
        self.layout = layout
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next piece, cut to the range.
    public mutating func next() -> ZipSegment? {
        guard offset < end else { return nil }
        let (start, whole) = layout.element(covering: offset)
        let from = offset - start
        let to = Swift.min(whole.byteCount, end - start)
        offset = start + to
        switch whole {
        case .literal(let bytes):
            return .literal(from == 0 && to == whole.byteCount ? bytes : Array(bytes[Int(from)..<Int(to)]))
        case .payload(let entry, _):
            return .payload(entry: entry, range: from..<to)
        }
    }
}
