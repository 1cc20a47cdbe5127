import Archives
import Compression
import Cryptography
import Synchronization

/// A directory as one ZIP: layout known from sizes alone, payloads spliced from stored fragments.
///
/// A member whose chunks are all stored is stored; otherwise it is a deflate stream made of the chunks' fragments as they
/// are, with literals and incompressible chunks as stored blocks, closed by an empty final block.
final class ZipPlan: Sendable {
    struct Member: Sendable {
        var content: FileContent?
        /// Bytes given here: symlink targets.
        var literal: [UInt8] = []
        /// What tells how the chunks of a deflated member are encoded.
        var encodings = EncodingsMark()
    }

    let layout: ZipLayout
    let members: [Member]
    /// What tells how all chunks are encoded, whatever domain they are in; only when it was asked for.
    private let unmasked: EncodingsMark?

    /// Reads trees, nodes and the index, no chunk. Blocks.
    ///
    /// - Parameter isForComparison: prepares ``isSame(as:)``, at the cost of a derivation for each chunk.
    convenience init(_ context: ReadContext, _ root: DirectoryContent, isForComparison: Bool = false) throws {
        try self.init(context, try context.entries(root), isForComparison: isForComparison)
    }

    /// The same for the entries of the directory.
    init(_ context: ReadContext, _ root: [TreeEntry], isForComparison: Bool) throws {
        var entries: [ZipEntry] = []
        var members: [Member] = []
        var unmasked = isForComparison ? EncodingsMark() : nil
        entries.reserveCapacity(root.count)
        members.reserveCapacity(root.count)
        try Self.walk(context, root, path: [], &entries, &members, &unmasked)
        self.unmasked = unmasked
        do {
            layout = try ZipLayout(entries: entries)
        } catch {
            throw StoreError.invalid("\(context.subject) cannot be shown as a ZIP: \(error)")
        }
        self.members = members
    }

    private static func walk(
        _ context: ReadContext, _ listing: [TreeEntry], path: [UInt8], _ entries: inout [ZipEntry],
        _ members: inout [Member], _ unmasked: inout EncodingsMark?
    ) throws {
        for entry in listing {
            let name = path.isEmpty ? entry.name : path + [0x2F] + entry.name
            let mode = UInt16(truncatingIfNeeded: entry.mode)
            switch entry.content {
            case .directory(let child):
                entries.append(.directory(name, permissions: mode))
                members.append(Member())
                try walk(context, try context.entries(child), path: name, &entries, &members, &unmasked)
            case .symlink(let target):
                entries.append(
                    ZipEntry(
                        name: name, permissions: 0o777, kind: .symlink, method: .stored, crc32: CRC32.checksum(target),
                        compressedSize: Int64(target.count), uncompressedSize: Int64(target.count)))
                members.append(Member(literal: target))
            case .file(let content):
                let shape = try MemberShape(context, content, &unmasked)
                entries.append(
                    ZipEntry(
                        name: name, permissions: mode, kind: .file, method: shape.isDeflate ? .deflate : .stored,
                        crc32: shape.crc, compressedSize: shape.byteCount, uncompressedSize: content.byteCount))
                members.append(Member(content: content, encodings: shape.encodings))
            }
        }
    }

    /// A digest of everything that determines the ZIP's bytes besides the content itself: lengths, and how each chunk is
    /// encoded. Two encodings of one content that happen to have the same length give different digests.
    var shapeDigest: SHA256Digest {
        var writer = lengths
        for member in members { writer.integer(member.encodings.value) }
        return SHA256.digest(writer.bytes)
    }

    /// Whether the ZIP of another plan, perhaps of another domain, has the same bytes. Both must be meant for comparison.
    func isSame(as other: ZipPlan) -> Bool {
        guard let unmasked, unmasked == other.unmasked else { return false }
        return lengths.bytes == other.lengths.bytes
    }

    /// Whether a version's row is about this ZIP.
    func isRecorded(as shape: [UInt8]) -> Bool { shape == shapeDigest.bytes || shape == earlierShapeDigest.bytes }

    /// The digest that earlier programs wrote, of lengths only.
    var earlierShapeDigest: SHA256Digest { SHA256.digest(lengths.bytes) }

    private var lengths: CanonicalWriter {
        var writer = CanonicalWriter()
        for entry in layout.entries {
            writer.byte(entry.method == .deflate ? 1 : 0)
            writer.integer(UInt64(entry.compressedSize))
        }
        return writer
    }
}

/// A word that depends on how each chunk of a file is encoded, in order.
struct EncodingsMark: Sendable, Equatable {
    private(set) var value: UInt64 = 0

    mutating func add(_ location: Location) {
        var mixed = value ^ (UInt64(location.check) << 32 | UInt64(location.encodedBytes) << 1)
        mixed ^= location.codec == .deflate ? 1 : 0
        // A step that can be undone (splitmix64's), so that two files that differ in one chunk never come out equal.
        mixed &+= 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        value = mixed ^ mixed >> 31
    }
}

/// How a file looks as a ZIP member.
struct MemberShape {
    var isDeflate = false
    var byteCount: Int64 = 0
    var crc: UInt32 = CRC32.initial
    /// Left empty when nothing is deflated: then the bytes are the content's.
    var encodings = EncodingsMark()

    /// Most bytes of a stored block, RFC 1951 §3.2.4.
    static let storedBlockMaximum = 65535

    static func storedBlockBytes(_ count: Int) -> Int {
        count + 5 * ((count + storedBlockMaximum - 1) / storedBlockMaximum)
    }

    init(_ context: ReadContext, _ content: FileContent, _ unmasked: inout EncodingsMark?) throws {
        var storedBytes: Int64 = 0
        var deflateBytes: Int64 = 2
        var walk = SegmentWalk(context, content)
        while let (segment, _) = try walk.next() {
            switch segment {
            case .literal(let bytes):
                crc = CRC32.update(crc, bytes)
                storedBytes += Int64(bytes.count)
                deflateBytes += Int64(Self.storedBlockBytes(bytes.count))
            case .chunk(let ref):
                crc = CRC32.combine(crc, ref.crc, Int64(ref.count))
                storedBytes += Int64(ref.count)
                let location = try context.reader.location(ref, session: context.session)
                encodings.add(location)
                unmasked?.add(location.unmasked(ref, context.domain))
                switch location.codec {
                case .stored: deflateBytes += Int64(Self.storedBlockBytes(ref.count))
                case .deflate:
                    isDeflate = true
                    deflateBytes += Int64(location.encodedBytes)
                }
            case .node: throw FormatError("a list of chunks is where a chunk should be")
            }
        }
        byteCount = isDeflate ? deflateBytes : storedBytes
        if !isDeflate { encodings = EncodingsMark() }
    }
}

/// Reads the payload of one ZIP member as it is written, from any offset.
struct MemberPayload {
    private let context: ReadContext
    private var walk: SegmentWalk
    private let isDeflate: Bool
    private var isEnded = false
    private let planned: EncodingsMark
    private var encodings = EncodingsMark()

    init(_ context: ReadContext, _ content: FileContent, isDeflate: Bool, planned: EncodingsMark) {
        self.context = context
        self.isDeflate = isDeflate
        self.planned = planned
        walk = SegmentWalk(context, content)
    }

    /// The next pieces' source: length without reading, and how to read.
    enum Piece {
        case bytes([UInt8])
        case chunk(Ref, isFragment: Bool, byteCount: Int)

        var byteCount: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .chunk(_, _, let count): count
            }
        }
    }

    mutating func next() throws -> Piece? {
        guard let (segment, _) = try walk.next() else {
            guard isDeflate, !isEnded else { return nil }
            isEnded = true
            guard encodings == planned else { throw Self.encodedAnew(context) }
            return .bytes(Deflater.endOfStream)
        }
        switch segment {
        case .literal(let bytes): return .bytes(isDeflate ? Self.storedBlocks(bytes) : bytes)
        case .chunk(let ref):
            let location = try context.reader.location(ref, session: context.session)
            guard isDeflate else { return .chunk(ref, isFragment: false, byteCount: ref.count) }
            encodings.add(location)
            let count =
                location.codec == .deflate ? Int(location.encodedBytes) : MemberShape.storedBlockBytes(ref.count)
            return .chunk(ref, isFragment: true, byteCount: count)
        case .node: throw FormatError("a list of chunks is where a chunk should be")
        }
    }

    /// A damaged chunk was replaced by a new push of its content between the announcement of the ZIP and its reading.
    private static func encodedAnew(_ context: ReadContext) -> StoreError {
        StoreError(.conflict, "the ZIP of \(context.subject) was encoded anew while it was read; read it again")
    }

    static func bytes(_ piece: Piece, _ context: ReadContext) throws -> [UInt8] {
        switch piece {
        case .bytes(let bytes): return bytes
        case .chunk(let ref, let isFragment, let count):
            guard isFragment else { return try context.reader.plaintext(ref, context.domain, session: context.session) }
            let (codec, payload) = try context.reader.payload(ref, context.domain)
            let bytes = codec == .deflate ? payload : storedBlocks(payload)
            guard bytes.count == count else {
                throw FormatError("a chunk has another encoded length than the index says")
            }
            return bytes
        }
    }

    /// `bytes` as stored blocks, none of them final.
    static func storedBlocks(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(MemberShape.storedBlockBytes(bytes.count))
        var start = 0
        while start < bytes.count {
            let end = min(start + MemberShape.storedBlockMaximum, bytes.count)
            result.append(0)
            result.appendLittle(UInt16(end - start))
            result.appendLittle(~UInt16(end - start))
            result += bytes[start..<end]
            start = end
        }
        return result
    }
}

/// Reads a range of a ZIP in pieces. One caller at a time.
final class ZipStream: @unchecked Sendable {
    // Proof: a `ByteStream` pulls from one task at a time and awaits each pull, which orders all access.
    private let context: ReadContext
    private let plan: ZipPlan
    private var segments: ZipSegments
    private var member: (payload: MemberPayload, position: Int64, range: Range<Int64>)?
    private var ready: [[UInt8]] = []
    private var nextReady = 0

    init(_ context: ReadContext, _ plan: ZipPlan, range: Range<Int64>) {
        self.context = context
        self.plan = plan
        segments = plan.layout.segments(in: range)
    }

    func pull() async throws -> [UInt8]? {
        while nextReady >= ready.count {
            let isAtEnd = try await context.pool.run { [self] in try context.guarding { try fill() } }
            if isAtEnd { return nil }
        }
        defer { nextReady += 1 }
        return ready[nextReady]
    }

    private enum Source {
        case literal([UInt8])
        case piece(MemberPayload.Piece, Range<Int>)
    }

    /// Collects about a megabyte and reads it side by side. Tells whether the end was reached.
    private func fill() throws -> Bool {
        var sources: [Source] = []
        var bytes = 0
        while bytes < 1 << 20, sources.count < 512, let source = try nextSource() {
            switch source {
            case .literal(let literal): bytes += literal.count
            case .piece(_, let range): bytes += range.count
            }
            sources.append(source)
        }
        guard !sources.isEmpty else { return true }
        let results = Mutex([[UInt8]](repeating: [], count: sources.count))
        let (context, work) = (context, sources)
        try context.pool.forEach(work.count) { index in
            let piece: [UInt8]
            switch work[index] {
            case .literal(let literal): piece = literal
            case .piece(let source, let range):
                let whole = try MemberPayload.bytes(source, context)
                piece = range == 0..<whole.count ? whole : Array(whole[range])
            }
            results.withLock { $0[index] = piece }
        }
        ready = Self.joined(results.withLock { $0 })
        nextReady = 0
        return false
    }

    /// Small neighbours joined, so that a ZIP of many tiny files is not many tiny pieces; none above 256 KiB.
    private static func joined(_ pieces: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for piece in pieces where !piece.isEmpty {
            if let last = result.last, last.count + piece.count <= 128 << 10 {
                result[result.count - 1] += piece
            } else if piece.count > 256 << 10 {
                // A chunk of the greatest length framed as stored blocks.
                result.append(Array(piece[..<(256 << 10)]))
                result.append(Array(piece[(256 << 10)...]))
            } else {
                result.append(piece)
            }
        }
        return result
    }

    private func nextSource() throws -> Source? {
        while true {
            if var current = member {
                while current.position < current.range.upperBound, let piece = try current.payload.next() {
                    let start = current.position
                    current.position += Int64(piece.byteCount)
                    member = current
                    let from = max(start, current.range.lowerBound)
                    let to = min(current.position, current.range.upperBound)
                    if from < to { return .piece(piece, Int(from - start)..<Int(to - start)) }
                }
                guard current.position >= current.range.upperBound else {
                    throw FormatError("a file has fewer bytes than announced")
                }
                member = nil
            }
            guard let segment = segments.next() else { return nil }
            switch segment {
            case .literal(let bytes): return .literal(bytes)
            case .payload(let entry, let range):
                guard !range.isEmpty else { continue }
                let planned = plan.members[entry]
                guard let content = planned.content else {
                    return .literal(Array(planned.literal[Int(range.lowerBound)..<Int(range.upperBound)]))
                }
                let isDeflate = plan.layout.entries[entry].method == .deflate
                let payload = MemberPayload(context, content, isDeflate: isDeflate, planned: planned.encodings)
                member = (payload, 0, range)
            }
        }
    }
}
