/// The header of a gzip member (RFC 1952, section 2.3).
public struct GzipHeader: Sendable, Hashable {
    /// Where parsing a prefix of a gzip led.
    enum Scan: Equatable {
        /// The header is this long.
        case complete(Int)
        /// The header does not end within the prefix.
        case incomplete
    }

    /// The longest header that is recognised: fields of names and comments are bounded only by this.
    static let longest = 128 * 1024

    /// Length of the header in bytes.
    public let byteCount: Int
    /// Modification time in seconds since 1970, 0 for none.
    public let modified: UInt32
    /// XFL: 2 says strongest, 4 fastest compression.
    public let extraFlags: UInt8
    /// The operating system that wrote it, 255 for unknown.
    public let system: UInt8
    /// The original file's name.
    public let name: [UInt8]?
    /// A comment for people.
    public let comment: [UInt8]?

    /// Parses the header at the start of `bytes`.
    public init(parsing bytes: [UInt8]) throws(ArchiveError) {
        let scan = bytes.withUnsafeBytes { Self.length(in: $0) }
        guard case .complete(let length) = scan else {
            throw scan == nil
                ? .malformed(.gzip, at: 0, reason: "the header is not that of a gzip")
                : .truncated(.gzip, at: 0, needed: Int64(bytes.count) + 1, available: Int64(bytes.count))
        }
        byteCount = length
        (modified, extraFlags, system) = bytes.withUnsafeBytes { ($0.u32(4), $0[8], $0[9]) }
        let flags = bytes[3]
        var cursor = 10
        if flags & 0x04 != 0 { cursor += 2 + Int(bytes[10]) + Int(bytes[11]) << 8 }
        func text() -> [UInt8] {
            let field = bytes[cursor...].prefix { $0 != 0 }
            cursor = field.endIndex + 1
            return Array(field)
        }
        name = flags & 0x08 != 0 ? text() : nil
        comment = flags & 0x10 != 0 ? text() : nil
    }

    /// Length of the header that `window` starts with; nil where it is no gzip.
    static func length(in window: UnsafeRawBufferPointer) -> Scan? {
        guard window.starts(with: [0x1F, 0x8B, 0x08].prefix(window.count)) else { return nil }
        guard window.count >= 10 else { return .incomplete }
        let flags = window[3]
        // Reserved bits must be zero.
        guard flags & 0xE0 == 0 else { return nil }
        var cursor = 10
        if flags & 0x04 != 0 {
            guard window.count >= 12 else { return .incomplete }
            cursor += 2 + Int(window.u16(10))
        }
        for bit: UInt8 in [0x08, 0x10] where flags & bit != 0 {
            while cursor < window.count, window[cursor] != 0 { cursor += 1 }
            guard cursor < window.count else { return .incomplete }
            cursor += 1
        }
        if flags & 0x02 != 0 { cursor += 2 }
        return cursor <= window.count ? .complete(cursor) : .incomplete
    }
}
