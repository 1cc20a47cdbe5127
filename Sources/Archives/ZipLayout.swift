/// The bytes of a zip around its payloads, computed from sizes alone, so that length and any range are known before a
/// payload is read.
///
/// The result depends on the entries and their order only: every date is 1980-01-01 00:00, the maker is Unix, ZIP64
/// records appear exactly where a field would overflow. The rule is frozen: stored presentations name it `zip-1`.
/// A deflate payload may be a concatenation of fragments that each end in a full flush, closed by
/// `Deflater.endOfStream`; `compressedSize` counts those two bytes.
///
/// The entries are kept encoded, each as what its name does not share with the one before and some 15 bytes, so that a
/// million of them take some tens of megabytes.
public struct ZipLayout: Sendable {
    /// An entry and where it is in the archive.
    public struct Member: Sendable {
        /// The entry.
        public let entry: ZipEntry
        /// What the caller gave with it.
        public let mark: UInt64
        /// Its number, from 0.
        public let index: Int
        /// Where its local header starts.
        let offset: Int64
        /// Where its directory entry starts, within the directory.
        let directoryOffset: Int64

        /// Where its payload starts.
        var payloadOffset: Int64 { offset + Int64(entry.localHeaderBytes) }
        /// Where the next one starts.
        var end: Int64 { payloadOffset + entry.compressedSize }
    }

    /// Entries one after the other. The first one's name is given in full, so that reading can begin here.
    struct Block: Sendable {
        let index: Int
        let offset: Int64
        let directoryOffset: Int64
        var bytes: [UInt8] = []
    }

    private(set) var measure = ZipMeasure()
    private(set) var blocks: [Block] = []
    private var lastName: [UInt8] = []

    private static let blockBytes = 64 << 10

    /// The layout of a zip without entries.
    public init() {}

    /// Computes the layout of entries in any order. Throws where an entry could not be read back: unsafe or overlong names,
    /// duplicates, sizes that contradict the method.
    public init(entries: [ZipEntry]) throws(ArchiveError) {
        var names: [EntryName] = []
        names.reserveCapacity(entries.count)
        for entry in entries {
            try entry.check()
            names.append(try EntryName(checking: entry.name, longest: Int(UInt16.max) - 1, from: .ownTree))
        }
        try EntryName.checkTree(names) { entries[$0].kind == .directory }
        for entry in entries {
            encode(entry, mark: 0)
            measure.advance(over: entry)
        }
    }

    /// Adds the next entry in the order of a tree walk, with a word that is handed back with it. Throws what
    /// ``ZipMeasure/add(_:)`` throws.
    public mutating func append(_ entry: ZipEntry, mark: UInt64 = 0) throws(ArchiveError) {
        let (offset, directoryOffset, index) = (measure.bodyBytes, measure.directoryBytes, measure.count)
        try measure.add(entry)
        encode(entry, mark: mark, Block(index: index, offset: offset, directoryOffset: directoryOffset))
    }

    /// Entries so far.
    public var count: Int { measure.count }

    /// The whole archive's length.
    public var totalBytes: Int64 { measure.totalBytes }

    /// The pieces of a byte range, in order; made on demand, so that a large archive needs no memory for its headers.
    public func segments(in range: Range<Int64>) -> ZipSegments {
        ZipSegments(layout: self, range: range.clamped(to: 0..<totalBytes))
    }

    /// The pieces of the whole archive.
    public var segments: ZipSegments { segments(in: 0..<totalBytes) }

    // MARK: Encoding: flags, shared bytes of the name, the rest, permissions, CRC, sizes, mark.

    private mutating func encode(_ entry: ZipEntry, mark: UInt64) {
        encode(
            entry, mark: mark,
            Block(index: measure.count, offset: measure.bodyBytes, directoryOffset: measure.directoryBytes))
    }

    /// - Parameter new: the block that begins with this entry, should the last one be full.
    private mutating func encode(_ entry: ZipEntry, mark: UInt64, _ new: Block) {
        if blocks.last.map({ $0.bytes.count + entry.name.count + 64 > Self.blockBytes }) ?? true {
            blocks.append(new)
            lastName = []
        }
        let shared = lastName.sharedPrefix(with: entry.name)
        Self.encode(entry, mark: mark, sharing: shared, to: &blocks[blocks.count - 1].bytes)
        lastName = entry.name
    }

    private static func encode(_ entry: ZipEntry, mark: UInt64, sharing shared: Int, to bytes: inout [UInt8]) {
        let kind: UInt8 =
            switch entry.kind {
            case .file: 0
            case .directory: 1
            case .symlink: 2
            }
        bytes.append(entry.method == .deflate ? kind | 4 : kind)
        bytes.append(packed: UInt64(shared))
        bytes.append(packed: UInt64(entry.name.count - shared))
        bytes += entry.name[shared...]
        bytes.append(packed: UInt64(entry.permissions))
        bytes.append(little: entry.crc32)
        bytes.append(packed: UInt64(entry.compressedSize))
        if entry.method == .deflate { bytes.append(packed: UInt64(entry.uncompressedSize)) }
        bytes.append(packed: mark)
    }
}

extension [UInt8] {
    /// Seven bits a byte, lowest first.
    fileprivate mutating func append(packed value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }
}

/// Reads the entries of a layout, from any block on.
struct ZipCursor: Sendable {
    private let layout: ZipLayout
    private var nextBlock: Int
    private var bytes: [UInt8] = []
    private var position = 0
    private var name: [UInt8] = []
    private var index = 0
    private var offset: Int64 = 0
    private var directoryOffset: Int64 = 0

    /// Begins at the last block that starts where `start` says, or before.
    ///
    /// - Parameter start: of the block's first entry in the order that counts.
    init(_ layout: ZipLayout, notAfter place: Int64, _ start: (ZipLayout.Block) -> Int64) {
        self.layout = layout
        var low = 0
        var high = layout.blocks.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if start(layout.blocks[middle]) <= place { low = middle } else { high = middle }
        }
        nextBlock = low
    }

    /// The next entry; nil after the last one.
    mutating func next() -> ZipLayout.Member? {
        if position == bytes.count {
            guard nextBlock < layout.blocks.count else { return nil }
            let block = layout.blocks[nextBlock]
            nextBlock += 1
            (bytes, index, offset, directoryOffset) = (block.bytes, block.index, block.offset, block.directoryOffset)
            position = 0
            name = []
        }
        let flags = byte()
        let shared = Int(packed())
        let rest = Int(packed())
        name.removeLast(name.count - shared)
        name += bytes[position..<position + rest]
        position += rest
        let permissions = UInt16(truncatingIfNeeded: packed())
        let crc = UInt32(byte()) | UInt32(byte()) << 8 | UInt32(byte()) << 16 | UInt32(byte()) << 24
        let compressed = Int64(packed())
        let isDeflate = flags & 4 != 0
        let kind: MemberKind =
            switch flags & 3 {
            case 0: .file
            case 1: .directory
            default: .symlink
            }
        let entry = ZipEntry(
            name: name, permissions: permissions, kind: kind, method: isDeflate ? .deflate : .stored, crc32: crc,
            compressedSize: compressed, uncompressedSize: isDeflate ? Int64(packed()) : compressed)
        let member = ZipLayout.Member(
            entry: entry, mark: packed(), index: index, offset: offset, directoryOffset: directoryOffset)
        index += 1
        directoryOffset += Int64(entry.centralHeaderBytes(localOffset: offset))
        offset = member.end
        return member
    }

    private mutating func byte() -> UInt8 {
        position += 1
        return bytes[position - 1]
    }

    private mutating func packed() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = byte()
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }
}
