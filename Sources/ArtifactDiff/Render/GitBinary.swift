import Compression

/// Git's binary patches: zlib streams in lines of base 85.
enum GitBinary {
    private static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~".utf8)

    /// Appends one `literal` hunk.
    static func appendLiteral(_ bytes: [UInt8], to output: inout [UInt8]) throws {
        var packed: [UInt8] = []
        let stream = try DeflateStream(format: .zlib)
        try stream.append(bytes, to: &packed, finish: true)
        output += "literal \(bytes.count)\n".utf8
        for start in stride(from: 0, to: packed.count, by: 52) {
            let line = packed[start..<min(start + 52, packed.count)]
            // The first letter counts the bytes of the line: A to Z are 1 to 26, a to z 27 to 52.
            output.append(UInt8(line.count <= 26 ? 0x40 + line.count : 0x60 + line.count - 26))
            for group in stride(from: line.startIndex, to: line.endIndex, by: 4) {
                appendGroup(packed, group, min(group + 4, line.endIndex), to: &output)
            }
            output.append(0x0A)
        }
        output.append(0x0A)
    }

    /// Up to four bytes, big-endian and padded with zeros, as five digits.
    private static func appendGroup(_ bytes: [UInt8], _ start: Int, _ end: Int, to output: inout [UInt8]) {
        var value: UInt32 = 0
        for position in start..<(start + 4) { value = value << 8 | (position < end ? UInt32(bytes[position]) : 0) }
        var power: UInt32 = 85 * 85 * 85 * 85
        for _ in 0..<5 {
            output.append(alphabet[Int(value / power)])
            value %= power
            power /= 85
        }
    }
}
