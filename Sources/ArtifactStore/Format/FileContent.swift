import Compression
import Cryptography

/// One step in rebuilding a file: bytes given here, a chunk, or a node with further steps.
enum Segment: Hashable, Sendable {
    case literal([UInt8])
    case chunk(Ref)
    /// A node and the number of file bytes below it.
    case node(Ref, Int64)

    var byteCount: Int64 {
        switch self {
        case .literal(let bytes): Int64(bytes.count)
        case .chunk(let ref): Int64(ref.count)
        case .node(_, let count): count
        }
    }

    var ref: Ref? {
        switch self {
        case .literal: nil
        case .chunk(let ref), .node(let ref, _): ref
        }
    }
}

/// The content of a file, as a tree entry or a version's root carries it.
enum FileContent: Hashable, Sendable {
    /// At most `inlineMaximum` bytes.
    case inline([UInt8])
    /// One chunk, whose SHA-256 is the file's.
    case chunk(Ref)
    /// Few segments, without nodes.
    case segments([Segment], SHA256Digest)
    /// A node that lists the segments; byte count and SHA-256 of the file.
    case node(Ref, Int64, SHA256Digest)

    /// Files up to this many bytes live in their directory's tree.
    static let inlineMaximum = 64
    /// A list of segments of at most this many encoded bytes needs no node.
    static let segmentsMaximum = 400

    var byteCount: Int64 {
        switch self {
        case .inline(let bytes): Int64(bytes.count)
        case .chunk(let ref): Int64(ref.count)
        case .segments(let segments, _): segments.reduce(0) { $0 + $1.byteCount }
        case .node(_, let count, _): count
        }
    }

    /// SHA-256 of the file.
    var digest: SHA256Digest {
        switch self {
        case .inline(let bytes): SHA256.digest(bytes)
        case .chunk(let ref): ref.digest
        case .segments(_, let digest), .node(_, _, let digest): digest
        }
    }

    /// CRC-32 of the file, where it is known without reading further records.
    var crc32: UInt32? {
        switch self {
        case .inline(let bytes): CRC32.checksum(bytes)
        case .chunk(let ref): ref.crc
        case .segments(let segments, _): segments.crc32
        case .node: nil
        }
    }

    /// The segments, of which a node must be read to go further.
    var segments: [Segment] {
        switch self {
        case .inline(let bytes): bytes.isEmpty ? [] : [.literal(bytes)]
        case .chunk(let ref): [.chunk(ref)]
        case .segments(let segments, _): segments
        case .node(let ref, let count, _): [.node(ref, count)]
        }
    }

    var refs: [Ref] { segments.compactMap(\.ref) }
}

extension [Segment] {
    /// CRC-32 of the bytes that literals and chunks stand for; nil when there are nodes among them.
    var crc32: UInt32? {
        var crc = CRC32.initial
        for segment in self {
            switch segment {
            case .literal(let bytes): crc = CRC32.update(crc, bytes)
            case .chunk(let ref): crc = CRC32.combine(crc, ref.crc, Int64(ref.count))
            case .node: return nil
            }
        }
        return crc
    }
}

extension CanonicalWriter {
    mutating func segment(_ segment: Segment) {
        switch segment {
        case .literal(let bytes):
            byte(0)
            string(bytes)
        case .chunk(let ref):
            byte(1)
            self.ref(ref, crc: true)
        case .node(let ref, let count):
            byte(2)
            integer(UInt64(count))
            self.ref(ref, crc: false)
        }
    }

    mutating func content(_ content: FileContent) {
        switch content {
        case .inline(let bytes):
            byte(0)
            string(bytes)
        case .chunk(let ref):
            byte(1)
            self.ref(ref, crc: true)
        case .segments(let segments, let digest):
            byte(2)
            self.digest(digest)
            integer(segments.count)
            for segment in segments { self.segment(segment) }
        case .node(let ref, let count, let digest):
            byte(3)
            self.digest(digest)
            integer(UInt64(count))
            self.ref(ref, crc: false)
        }
    }
}

extension CanonicalReader {
    mutating func segment(nodes: Bool) throws -> Segment {
        switch try byte() {
        case 0: return .literal(try string())
        case 1: return .chunk(try ref(crc: true))
        case 2 where nodes:
            let count = Int64(try count())
            return .node(try ref(crc: false), count)
        case let kind: throw FormatError("a segment has the unknown kind \(kind)")
        }
    }

    mutating func content() throws -> FileContent {
        switch try byte() {
        case 0:
            let bytes = try string()
            guard bytes.count <= FileContent.inlineMaximum else { throw FormatError("an inline file is too long") }
            return .inline(bytes)
        case 1: return .chunk(try ref(crc: true))
        case 2:
            let digest = try digest()
            let count = try count(limit: 64)
            var segments: [Segment] = []
            for _ in 0..<count { segments.append(try segment(nodes: false)) }
            return .segments(segments, digest)
        case 3:
            let digest = try digest()
            let count = Int64(try count())
            return .node(try ref(crc: false), count, digest)
        case let kind: throw FormatError("a file's content has the unknown kind \(kind)")
        }
    }
}

/// The record that lists the segments of a file: format 1, kind 2, height, segments. A node of height 0 holds literals and
/// chunks, a higher one holds nodes of the height below.
struct NodeObject: Sendable {
    /// Chunks per node: about 64 KiB of encoding.
    static let fanOut = 700

    var height: Int
    var segments: [Segment]

    func encode() -> [UInt8] {
        var writer = CanonicalWriter()
        writer.byte(1)
        writer.byte(RecordKind.node.rawValue)
        writer.integer(height)
        writer.integer(segments.count)
        for segment in segments { writer.segment(segment) }
        return writer.bytes
    }

    init(height: Int, segments: [Segment]) {
        self.height = height
        self.segments = segments
    }

    init(decoding bytes: [UInt8]) throws {
        var reader = CanonicalReader(bytes)
        guard try reader.byte() == 1, try reader.byte() == RecordKind.node.rawValue else {
            throw FormatError("it is not a list of chunks of format 1")
        }
        height = try reader.count(limit: 8)
        let count = try reader.count(limit: 1 << 20)
        segments = []
        segments.reserveCapacity(Swift.min(count, 1024))
        for _ in 0..<count { segments.append(try reader.segment(nodes: height > 0)) }
        try reader.end()
    }
}
