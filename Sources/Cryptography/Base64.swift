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
        return text.withUTF8 { unpadded(UnsafeRawBufferPointer($0)).flatMap { decode($0, standard) } }
    }

    /// The bytes of URL-safe text without padding, or nil.
    public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        var text = String(text)
        return text.withUTF8 { decode(UnsafeRawBufferPointer($0), urlSafe) }
    }

    /// How many characters `encode` writes for so many bytes.
    public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Writes the text with padding into memory of ``encodedCount(_:)`` bytes. A secret's text is nowhere else then.
    public static func encode(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer) {
        precondition(text.count == encodedCount(bytes.count), "no room for the text")
        standard.withUnsafeBufferPointer { _ = write(bytes, $0, into: text, padded: true) }
    }

    /// The bytes in secret memory, or nil unless the text is exactly what `encode` would write for them.
    public static func decodeSecret(_ text: UnsafeRawBufferPointer) -> SecretBytes? {
        guard let body = unpadded(text) else { return nil }
        var isText = false
        let bytes = SecretBytes(count: body.count * 3 / 4) { isText = read(body, standard, into: $0) }
        return isText ? bytes : nil
    }

    private static func encode(_ bytes: UnsafeRawBufferPointer, _ alphabet: [UInt8], padded: Bool) -> String {
        let capacity = encodedCount(bytes.count)
        return alphabet.withUnsafeBufferPointer { alphabet in
            String(unsafeUninitializedCapacity: capacity) { text in
                write(bytes, alphabet, into: UnsafeMutableRawBufferPointer(text), padded: padded)
            }
        }
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, _ alphabet: UnsafeBufferPointer<UInt8>,
        into text: UnsafeMutableRawBufferPointer, padded: Bool
    ) -> Int {
        let capacity = encodedCount(bytes.count)
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

    /// Text without its padding; nil when its length is none that padded text has.
    private static func unpadded(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == 0x3D }.count
        return UnsafeRawBufferPointer(rebasing: text.dropLast(padding))
    }

    private static func decode(_ body: UnsafeRawBufferPointer, _ alphabet: [UInt8]) -> [UInt8]? {
        var isText = false
        let bytes = [UInt8](unsafeUninitializedCapacity: body.count * 3 / 4) { buffer, initialized in
            isText = read(body, alphabet, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = isText ? body.count * 3 / 4 : 0
        }
        return isText ? bytes : nil
    }

    /// Fills `bytes`, three for every four characters; false when the text is not what `encode` would write for them.
    private static func read(
        _ body: UnsafeRawBufferPointer, _ alphabet: [UInt8], into bytes: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard body.count % 4 != 1 else { return false }
        let (last, secondLast) = (alphabet[63], alphabet[62])
        var bits: UInt32 = 0
        var held: UInt32 = 0
        var count = 0
        for character in body {
            guard let value = value(character, secondLast, last) else { return false }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes[count] = UInt8(truncatingIfNeeded: bits >> held)
                count += 1
            }
        }
        // Left-over bits must be zero: one value has one encoding.
        return bits & (1 << held - 1) == 0
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
