import Compression

/// A word that depends on how each chunk of a file is encoded, in order.
struct EncodingsMark: Sendable, Equatable {
    private(set) var value: UInt64 = 0

    init(value: UInt64 = 0) { self.value = value }

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
