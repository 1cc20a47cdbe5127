/// Thirty-two bytes held inline: a SHA-256 digest, or a value of the same shape.
public struct SHA256Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    // The bytes in memory order, eight to a word.
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    /// Length in bytes.
    public static let byteCount = 32

    /// All bytes zero.
    public init() {}

    /// From exactly 32 bytes; nil for any other length.
    public init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
    }

    /// From exactly 32 bytes; nil for any other length.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        bytes.withUnsafeBytes { source in withUnsafeMutableBytes { $0.copyMemory(from: source) } }
    }

    /// From exactly 32 bytes; nil for any other length.
    public init?(bytes: ArraySlice<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        bytes.withUnsafeBytes { source in withUnsafeMutableBytes { $0.copyMemory(from: source) } }
    }

    /// From 64 hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// The bytes as an array.
    public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// 64 lowercase hexadecimal digits.
    public var hex: String { withUnsafeBytes { Hex.encode($0) } }

    /// A sentence for people.
    public var description: String { hex }

    /// Lends the 32 bytes.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        var copy = words
        return try withUnsafePointer(to: &copy) { pointer throws(E) in
            try body(UnsafeRawBufferPointer(start: pointer, count: Self.byteCount))
        }
    }

    /// Lends the 32 bytes for writing.
    public mutating func withUnsafeMutableBytes<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try withUnsafeMutablePointer(to: &words) { pointer throws(E) in
            try body(UnsafeMutableRawBufferPointer(start: pointer, count: Self.byteCount))
        }
    }

    /// Whether all 32 bytes are equal.
    public static func == (a: Self, b: Self) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
    }

    /// Lexicographic by bytes.
    public static func < (a: Self, b: Self) -> Bool {
        if a.words.0 != b.words.0 { return a.words.0.bigEndian < b.words.0.bigEndian }
        if a.words.1 != b.words.1 { return a.words.1.bigEndian < b.words.1.bigEndian }
        if a.words.2 != b.words.2 { return a.words.2.bigEndian < b.words.2.bigEndian }
        return a.words.3.bigEndian < b.words.3.bigEndian
    }

    /// Feeds the whole value.
    public func hash(into hasher: inout Hasher) {
        // Two words of a digest are as good as four; the hasher is seeded per process.
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

extension SHA256Digest: Codable {
    /// Reads the textual form.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let digest = SHA256Digest(hex: text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a digest is 64 hexadecimal digits"))
        }
        self = digest
    }

    /// Writes the textual form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}
