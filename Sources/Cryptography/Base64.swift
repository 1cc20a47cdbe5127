/// Base64 (RFC 4648 §4) and its URL-safe form without padding (§5).
public enum Base64 {
    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Text with padding.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { encode(bytes, standard, padded: true) }

    /// URL-safe text without padding.
    public static func encodeURL(_ bytes: some Collection<UInt8>) -> String { encode(bytes, urlSafe, padded: false) }

    /// The bytes, or nil unless the text is exactly what `encode` would write for them.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let body = Array(text.utf8)
        guard body.count % 4 == 0 else { return nil }
        let padding = body.suffix(2).reversed().prefix { $0 == 0x3D }.count
        return decode(body.dropLast(padding), standard)
    }

    /// The bytes of URL-safe text without padding, or nil.
    public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? { decode(Array(text.utf8)[...], urlSafe) }

    private static func encode(_ bytes: some Collection<UInt8>, _ alphabet: [UInt8], padded: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                text.append(alphabet[Int(bits >> UInt32(held) & 63)])
            }
        }
        if held > 0 { text.append(alphabet[Int(bits << UInt32(6 - held) & 63)]) }
        if padded { while text.count % 4 != 0 { text.append(0x3D) } }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ body: ArraySlice<UInt8>, _ alphabet: [UInt8]) -> [UInt8]? {
        guard body.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count / 4 * 3 + 2)
        var bits: UInt32 = 0
        var held = 0
        for character in body {
            guard let value = value(character, alphabet) else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        // Left-over bits must be zero: one value has one encoding.
        return bits & (1 << UInt32(held) - 1) == 0 ? bytes : nil
    }

    private static func value(_ character: UInt8, _ alphabet: [UInt8]) -> UInt8? {
        switch character {
        case 0x41...0x5A: character - 0x41
        case 0x61...0x7A: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case alphabet[62]: 62
        case alphabet[63]: 63
        default: nil
        }
    }
}
