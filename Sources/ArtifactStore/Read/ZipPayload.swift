import Compression

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
