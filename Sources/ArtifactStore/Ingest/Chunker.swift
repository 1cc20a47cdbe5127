import Cryptography

/// Where to cut a stream.
protocol StreamCutter: Sendable {
    /// Chunks are at most this long.
    var maximum: Int { get }
    /// The length of the first chunk of `bytes`, or nil when more bytes are needed to tell. With `isLast` the bytes are the
    /// stream's end and the answer is never nil unless they are empty.
    func cut(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws -> Int?
}

/// FastCDC with a keyed gear table: a 64-bit left-shifting Gear hash compared under a strict mask before the target size
/// and a loose one after it (Xia et al. 2016, normalisation level 1). Cut points depend on the domain's key, which slows
/// down, but does not prevent, guessing content from chunk lengths.
struct GearCutter: StreamCutter {
    static let minimum = 16 << 10
    static let target = 64 << 10
    let maximum = 256 << 10
    private static let strictMask: UInt64 = ~0 << (64 - 17)
    private static let looseMask: UInt64 = ~0 << (64 - 15)

    private let table: [UInt64]

    init(cutKey: SecretBytes) {
        let stream = Derivation.secret(cutKey, "cdc/gear", [], count: 2048)
        table = stream.withUnsafeBytes { bytes in (0..<256).map { bytes.little64(at: $0 * 8) } }
    }

    func cut(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Int? {
        let count = bytes.count
        guard count > Self.minimum else { return isLast && count > 0 ? count : nil }
        let found = table.withUnsafeBufferPointer { table in
            scan(bytes, table, to: min(count, maximum))
        }
        if let found { return found }
        if count >= maximum { return maximum }
        return isLast ? count : nil
    }

    /// The cut within `bytes[minimum ..< end]`, or nil. Wrapping arithmetic: the hash is a sum modulo 2^64.
    private func scan(_ bytes: UnsafeRawBufferPointer, _ table: UnsafeBufferPointer<UInt64>, to end: Int) -> Int? {
        var hash: UInt64 = 0
        // The hash depends on the last 64 bytes: warmed up before the first place where a cut is allowed.
        var position = Self.minimum - 64
        while position < Self.minimum {
            hash = hash << 1 &+ table[Int(bytes[position])]
            position += 1
        }
        let strictEnd = min(end, Self.target)
        while position < strictEnd {
            hash = hash << 1 &+ table[Int(bytes[position])]
            position += 1
            if hash & Self.strictMask == 0 { return position }
        }
        while position < end {
            hash = hash << 1 &+ table[Int(bytes[position])]
            position += 1
            if hash & Self.looseMask == 0 { return position }
        }
        return nil
    }
}
