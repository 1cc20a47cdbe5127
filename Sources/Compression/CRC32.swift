import CCofferShims
import CZlib

/// CRC-32 as ZIP and gzip use it (IEEE 802.3, reflected).
public enum CRC32 {
    /// The CRC of nothing.
    public static let initial: UInt32 = 0

    /// Continues `crc` over `bytes`.
    public static func update(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return crc }
        if CompressionEngine.hasIgzip { return coffer_igzip_crc32(crc, base, bytes.count) }
        return UInt32(truncatingIfNeeded: crc32_z(UInt(crc), base.assumingMemoryBound(to: UInt8.self), bytes.count))
    }

    /// Continues `crc` over `bytes`.
    public static func update(_ crc: UInt32, _ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { update(crc, $0) }
    }

    /// The CRC of `bytes`.
    public static func checksum(_ bytes: [UInt8]) -> UInt32 { update(initial, bytes) }

    /// The CRC of A followed by B, from the CRC of each and the length of B in bytes.
    public static func combine(_ crc1: UInt32, _ crc2: UInt32, _ length2: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: crc32_combine(UInt(crc1), UInt(crc2), Int(length2)))
    }
}
