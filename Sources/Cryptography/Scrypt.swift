import COpenSSL

/// scrypt (RFC 7914).
public enum Scrypt {
    /// The most memory a derivation may take, checked before it starts.
    public static let memoryBytesMax: UInt64 = 1 << 30

    /// Derives `count` bytes from a passphrase.
    ///
    /// - Parameters:
    ///   - cost: N, a power of two.
    ///   - blockSize: r.
    ///   - parallelism: p.
    /// - Throws: `malformed` when the parameters are invalid or need more than `memoryBytesMax`.
    public static func derive(
        passphrase: SecretBytes, salt: [UInt8], cost: UInt64, blockSize: UInt64, parallelism: UInt64, count: Int
    ) throws(CryptographyError) -> SecretBytes {
        guard cost > 1, cost & (cost - 1) == 0, (1...64).contains(blockSize), (1...64).contains(parallelism) else {
            throw .malformed("scrypt parameters")
        }
        let (memory, overflow) = (128 * blockSize).multipliedReportingOverflow(by: cost + 2 + parallelism)
        guard !overflow, memory <= memoryBytesMax else { throw .malformed("scrypt parameters need more than 1 GiB") }
        var good: Int32 = 0
        let key = SecretBytes(count: count) { output in
            passphrase.withUnsafeBytes { pass in
                // libcrypto's own limit of 32 MiB would refuse the default parameters.
                good = EVP_PBE_scrypt(
                    pass.baseAddress?.assumingMemoryBound(to: CChar.self), pass.count, salt, salt.count, cost,
                    blockSize,
                    parallelism, memory + (1 << 20), output.baseAddress?.assumingMemoryBound(to: UInt8.self), count)
            }
        }
        guard good == 1 else { throw .fromLibrary("scrypt") }
        return key
    }
}
