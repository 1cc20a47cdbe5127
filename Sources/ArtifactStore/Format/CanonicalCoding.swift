import Cryptography

/// Writes the canonical encoding: fixed order, unsigned LEB128 integers, raw bytes, nothing optional.
struct CanonicalWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func integer(_ value: Int) { integer(UInt64(value)) }

    mutating func raw(_ value: [UInt8]) { bytes += value }

    /// Length, then bytes.
    mutating func string(_ value: [UInt8]) {
        integer(value.count)
        bytes += value
    }

    mutating func digest(_ value: SHA256Digest) { value.withUnsafeBytes { bytes.append(contentsOf: $0) } }

    mutating func ref(_ ref: Ref, crc: Bool) {
        integer(ref.count)
        digest(ref.digest)
        bytes += ref.id.bytes
        ref.key.withUnsafeBytes { bytes.append(contentsOf: $0) }
        if crc {
            let value = ref.crc
            for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
        }
    }
}

/// Why stored bytes are not what they should be. `description` says what was wrong, not where; callers add that.
struct FormatError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Reads the canonical encoding and refuses any other form of the same values.
struct CanonicalReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    mutating func byte() throws -> UInt8 {
        guard remaining >= 1 else { throw FormatError("it ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    /// The next byte, which stays.
    func peek() throws -> UInt8 {
        guard remaining >= 1 else { throw FormatError("it ends early") }
        return bytes[position]
    }

    mutating func integer() throws -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || (shift == 63 && next <= 1) else { throw FormatError("an integer is too large") }
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 {
                guard next != 0 || shift == 0 else { throw FormatError("an integer is not in its shortest form") }
                return value
            }
            shift += 7
        }
    }

    mutating func count(limit: Int = Int.max) throws -> Int {
        let value = try integer()
        guard value <= UInt64(limit) else { throw FormatError("the count \(value) exceeds its limit \(limit)") }
        return Int(value)
    }

    mutating func raw(_ count: Int) throws -> [UInt8] {
        guard count >= 0, remaining >= count else { throw FormatError("it ends early") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func string() throws -> [UInt8] { try raw(try count(limit: remaining)) }

    mutating func digest() throws -> SHA256Digest {
        let value = try raw(32)
        guard let digest = SHA256Digest(bytes: value) else { throw FormatError("a digest has 32 bytes") }
        return digest
    }

    mutating func ref(crc: Bool) throws -> Ref {
        let count = try count(limit: 16 << 20)
        let digest = try digest()
        let id = try raw(16).withUnsafeBytes { RecordID($0) }
        let key = try raw(32).withUnsafeBytes { RecordKey($0) }
        var value: UInt32 = 0
        if crc { for byte in try raw(4) { value = value << 8 | UInt32(byte) } }
        return Ref(count: count, digest: digest, id: id, key: key, crc: value)
    }

    func end() throws {
        guard remaining == 0 else { throw FormatError("\(remaining) bytes follow its end") }
    }
}
