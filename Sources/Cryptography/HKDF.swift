/// HKDF with SHA-256 (RFC 5869).
public enum HKDFSHA256 {
    /// The pseudorandom key of input keying material.
    public static func extract(salt: [UInt8], key: SecretBytes) -> SecretBytes {
        key.withUnsafeBytes { material in
            salt.withUnsafeBytes { salt in
                SecretBytes(count: 32) { output in
                    var mac = HMACSHA256(key: salt)
                    mac.update(material)
                    mac.finish(into: output)
                }
            }
        }
    }

    /// `count` bytes (at most 8,160) derived from the pseudorandom key `key` for the purpose `info`.
    public static func expand(key: SecretBytes, info: [UInt8], count: Int) -> SecretBytes {
        key.withUnsafeBytes { key in
            SecretBytes(count: count) { output in info.withUnsafeBytes { expand(key: key, info: $0, into: output) } }
        }
    }

    /// Fills `output` (at most 8,160 bytes) with bytes derived from `key` for the purpose `info`. Allocates nothing.
    public static func expand(
        key: UnsafeRawBufferPointer, info: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        var mac = HMACSHA256(key: key)
        expand(keyed: &mac, info: info, into: output)
    }

    /// The same from an HMAC already keyed with the pseudorandom key, which spares the key schedule.
    public static func expand(
        keyed mac: inout HMACSHA256, info: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(output.count <= 255 * 32, "HKDF expands to at most 8,160 bytes")
        withUnsafeTemporaryAllocation(byteCount: 33, alignment: 16) { block in
            let digest = UnsafeMutableRawBufferPointer(rebasing: block[..<32])
            var offset = 0
            var counter: UInt8 = 0
            while offset < output.count {
                if counter > 0 { mac.update(UnsafeRawBufferPointer(digest)) }
                counter += 1
                block[32] = counter
                mac.update(info)
                mac.update(UnsafeRawBufferPointer(rebasing: block[32...]))
                mac.finish(into: digest)
                let piece = min(32, output.count - offset)
                UnsafeMutableRawBufferPointer(rebasing: output[offset..<(offset + piece)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: digest[..<piece]))
                offset += piece
            }
            wipe(block)
        }
    }
}
