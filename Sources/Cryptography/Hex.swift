/// Hexadecimal text (RFC 4648 §8), lowercase on output, either case on input.
public enum Hex {
    /// The digit of four bits.
    private static func digit(_ bits: UInt8) -> UInt8 { bits < 10 ? 0x30 + bits : 0x57 + bits }

    /// Lowercase text.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String { encode(Array(bytes)) }

    // The forms below are not generic: other modules would call a generic one through a table, a byte at a time.

    /// Lowercase text.
    public static func encode(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { encode($0) } }

    /// Lowercase text.
    public static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            write(bytes, into: UnsafeMutableRawBufferPointer(text))
            return bytes.count * 2
        }
    }

    /// Writes lowercase text, two characters for each byte.
    public static func write(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer) {
        precondition(text.count >= bytes.count * 2, "no room for the text")
        for (index, byte) in bytes.enumerated() {
            text[2 * index] = digit(byte >> 4)
            text[2 * index + 1] = digit(byte & 15)
        }
    }

    /// The bytes, or nil when the length is odd or a character is not a digit.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(String(text)) }

    /// The bytes, or nil when the length is odd or a character is not a digit.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            guard text.count % 2 == 0 else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(text.count / 2)
            for index in stride(from: 0, to: text.count, by: 2) {
                guard let high = value(text[index]), let low = value(text[index + 1]) else { return nil }
                bytes.append(high << 4 | low)
            }
            return bytes
        }
    }

    private static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x61...0x66: character - 0x61 + 10
        case 0x41...0x46: character - 0x41 + 10
        default: nil
        }
    }

    /// Sixteen bytes in the 8-4-4-4-12 form.
    public static func uuidText(_ bytes: some Collection<UInt8>) -> String { uuidText(Array(bytes)) }

    /// Sixteen bytes in the 8-4-4-4-12 form.
    public static func uuidText(_ bytes: [UInt8]) -> String {
        precondition(bytes.count == 16, "a UUID has sixteen bytes")
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for byte in bytes {
                if isDash(position) {
                    text[position] = dash
                    position += 1
                }
                text[position] = digit(byte >> 4)
                text[position + 1] = digit(byte & 15)
                position += 2
            }
            return position
        }
    }

    /// The sixteen bytes of a UUID in the 8-4-4-4-12 form, or nil.
    public static func uuidBytes(_ text: some StringProtocol) -> [UInt8]? { uuidBytes(String(text)) }

    /// The sixteen bytes of a UUID in the 8-4-4-4-12 form, or nil.
    public static func uuidBytes(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            guard text.count == 36 else { return nil }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(16)
            var position = 0
            while position < 36 {
                if isDash(position) {
                    guard text[position] == dash else { return nil }
                    position += 1
                }
                guard let high = value(text[position]), let low = value(text[position + 1]) else { return nil }
                bytes.append(high << 4 | low)
                position += 2
            }
            return bytes
        }
    }

    private static let dash: UInt8 = 0x2D

    /// Whether a dash is at this place of the 8-4-4-4-12 form.
    private static func isDash(_ position: Int) -> Bool {
        position == 8 || position == 13 || position == 18 || position == 23
    }
}
