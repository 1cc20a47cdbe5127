/// Base64 (RFC 4648 §4) and its URL-safe form without padding (§5).
public enum Base64 {
    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    // The work is done on arrays: other modules would call a generic form through a table, a byte at a time.

    /// Text with padding.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { encode(Array(bytes)) }

    /// Text with padding.
    public static func encode(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { encode($0) } }

    /// Text with padding.
    public static func encode(_ bytes: UnsafeRawBufferPointer) -> String { encode(bytes, standard, padded: true) }

    /// URL-safe text without padding.
    public static func encodeURL(_ bytes: some Collection<UInt8>) -> String {
        Array(bytes).withUnsafeBytes { encode($0, urlSafe, padded: false) }
    }

    /// The bytes, or nil unless the text is exactly what `encode` would write for them.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(String(text)) }

    /// The bytes, or nil unless the text is exactly what `encode` would write for them.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            guard text.count % 4 == 0 else { return nil }
            let padding = text.suffix(2).reversed().prefix { $0 == 0x3D }.count
            return decode(UnsafeBufferPointer(rebasing: text.dropLast(padding)), standard)
        }
    }

    /// The bytes of URL-safe text without padding, or nil.
    public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        var text = String(text)
        return text.withUTF8 { decode($0, urlSafe) }
    }

    private static func encode(_ bytes: UnsafeRawBufferPointer, _ alphabet: [UInt8], padded: Bool) -> String {
        let capacity = (bytes.count + 2) / 3 * 4
        return alphabet.withUnsafeBufferPointer { alphabet in
            String(unsafeUninitializedCapacity: capacity) { text in
                var bits: UInt32 = 0
                var held: UInt32 = 0
                var count = 0
                for byte in bytes {
                    bits = bits << 8 | UInt32(byte)
                    held += 8
                    while held >= 6 {
                        held -= 6
                        text[count] = alphabet[Int(bits >> held & 63)]
                        count += 1
                    }
                }
                if held > 0 {
                    text[count] = alphabet[Int(bits << (6 - held) & 63)]
                    count += 1
                }
                while padded, count < capacity {
                    text[count] = 0x3D
                    count += 1
                }
                return count
            }
        }
    }

    private static func decode(_ body: UnsafeBufferPointer<UInt8>, _ alphabet: [UInt8]) -> [UInt8]? {
        guard body.count % 4 != 1 else { return nil }
        let (last, secondLast) = (alphabet[63], alphabet[62])
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count / 4 * 3 + 2)
        var bits: UInt32 = 0
        var held: UInt32 = 0
        for character in body {
            guard let value = value(character, secondLast, last) else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> held))
            }
        }
        // Left-over bits must be zero: one value has one encoding.
        return bits & (1 << held - 1) == 0 ? bytes : nil
    }

    private static func value(_ character: UInt8, _ secondLast: UInt8, _ last: UInt8) -> UInt8? {
        switch character {
        case 0x41...0x5A: character - 0x41
        case 0x61...0x7A: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case secondLast: 62
        case last: 63
        default: nil
        }
    }
}
