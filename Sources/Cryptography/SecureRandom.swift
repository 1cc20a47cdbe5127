import COpenSSL

/// libcrypto's random generators. A failing generator ends the process: there is nothing safe to fall back to.
public enum SecureRandom {
    /// `count` bytes for nonces, salts and identifiers.
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer.extracting(..<count)))
            initialized = count
        }
    }

    /// Fills `buffer` with bytes for nonces, salts and identifiers.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        let filled = RAND_bytes(buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(buffer.count))
        precondition(filled == 1, "the random generator failed")
    }

    /// `count` bytes for keys, from the generator whose output is never published.
    public static func privateBytes(_ count: Int) -> SecretBytes {
        SecretBytes(count: count) { buffer in
            guard !buffer.isEmpty else { return }
            let filled = RAND_priv_bytes(buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(count))
            precondition(filled == 1, "the random generator failed")
        }
    }

    /// The 16 bytes of a version 4 UUID (RFC 9562 §5.4).
    public static func uuidBytes() -> [UInt8] {
        var bytes = bytes(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return bytes
    }

    /// A version 4 UUID in lowercase text.
    public static func uuid() -> String { Hex.uuidText(uuidBytes()) }
}
