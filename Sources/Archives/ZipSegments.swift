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

/// The pieces of a range of a zip: local headers and payloads in turn, then the directory, then the end records.
public struct ZipSegments: Sequence, IteratorProtocol, Sendable {
    private let layout: ZipLayout
    private var cursor: ZipCursor
    /// The member that the piece given last belongs to, while it is a local header or a payload.
    public private(set) var member: ZipLayout.Member?
    private var isInDirectory = false
    private var offset: Int64
    private let end: Int64

    /// Directory entries are given together up to about so many bytes.
    private static let literalBytes = 16 << 10

    init(layout: ZipLayout, range: Range<Int64>) {
        self.layout = layout
        cursor = ZipCursor(layout, notAfter: range.lowerBound) { $0.offset }
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next piece, cut to the range.
    public mutating func next() -> ZipSegment? {
        guard offset < end else { return nil }
        let directoryStart = layout.measure.bodyBytes
        if offset < directoryStart, let piece = nextOfBody() { return piece }
        let directoryEnd = directoryStart + layout.measure.directoryBytes
        if offset < directoryEnd { return .literal(nextOfDirectory(from: directoryStart)) }
        return .literal(take(layout.measure.endRecords, at: directoryEnd))
    }

    /// What the range has of some bytes that start at `start`.
    private mutating func take(_ bytes: [UInt8], at start: Int64) -> [UInt8] {
        let from = Int(offset - start)
        let to = Int(Swift.min(Int64(bytes.count), end - start))
        offset = start + Int64(to)
        return from == 0 && to == bytes.count ? bytes : Array(bytes[from..<to])
    }

    private mutating func nextOfBody() -> ZipSegment? {
        while member.map({ $0.end <= offset }) ?? true {
            member = cursor.next()
            if member == nil { return nil }
        }
        guard let member else { return nil }
        let payload = member.payloadOffset
        if offset < payload { return .literal(take(member.entry.localHeader(), at: member.offset)) }
        let range = (offset - payload)..<(Swift.min(member.end, end) - payload)
        offset = payload + range.upperBound
        return .payload(entry: member.index, range: range)
    }

    private mutating func nextOfDirectory(from start: Int64) -> [UInt8] {
        if !isInDirectory {
            isInDirectory = true
            member = nil
            cursor = ZipCursor(layout, notAfter: offset - start) { $0.directoryOffset }
        }
        var bytes: [UInt8] = []
        while offset < end, bytes.count < Self.literalBytes, let member = cursor.next() {
            let header = member.entry.centralHeader(localOffset: member.offset)
            let place = start + member.directoryOffset
            // Members before the range share its first block.
            if place + Int64(header.count) > offset { bytes += take(header, at: place) }
        }
        return bytes
    }
}
