import Cryptography

/// Version ids: opaque to clients, 32 characters.
///
/// An id carries its sequence number, so that a listing can go on after a version that has been deleted in the
/// meantime. The random part keeps ids from being guessed.
enum VersionIdentifier {
    /// The id of versions written while versioning was off or suspended.
    static let null = "null"

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
    private static let sequenceBytes = 8
    private static let randomBytes = 12

    static func make(sequence: Int64) -> String {
        var bytes = SecureRandom.bytes(randomBytes)
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: sequence >> Int64(shift)))
        }
        // Hide the counter's pattern: not a secret, only so that nobody relies on its form.
        for index in 0..<sequenceBytes { bytes[randomBytes + index] ^= bytes[index] }
        return encode(bytes)
    }

    /// The sequence number in an id, or `nil` when this is none of ours.
    static func sequence(of id: String) -> Int64? {
        guard var bytes = decode(id), bytes.count == randomBytes + sequenceBytes else { return nil }
        for index in 0..<sequenceBytes { bytes[randomBytes + index] ^= bytes[index] }
        let value = bytes[randomBytes...].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return value > 0 ? value : nil
    }

    /// Base32 (RFC 4648 §6); 20 bytes need no padding.
    private static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var accumulator: UInt32 = 0
        var bits = 0
        for byte in bytes {
            accumulator = (accumulator << 8 | UInt32(byte)) & 0xFFFF
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(alphabet[Int(accumulator >> UInt32(bits)) & 31])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var accumulator: UInt32 = 0
        var bits = 0
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case 0x41...0x5A: value = character - 0x41
            case 0x32...0x37: value = character - 0x32 + 26
            default: return nil
            }
            accumulator = (accumulator << 5 | UInt32(value)) & 0xFFFF
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: accumulator >> UInt32(bits)))
            }
        }
        return bits == 0 ? bytes : nil
    }
}
