import Compression
import Cryptography
import Foundation

/// What was computed over the bytes of an upload.
struct ContentDigests: Sendable {
    var byteCount: Int64
    var md5: [UInt8]
    var checksums: [ChecksumAlgorithm: [UInt8]]

    /// The entity tag of an object that arrived in one piece.
    var etag: String { Hex.encode(md5) }

    /// Base64 of the value of an algorithm, where it was computed.
    func base64(_ algorithm: ChecksumAlgorithm) -> String? { checksums[algorithm].map { Base64.encode($0) } }
}

/// Computes the MD5 and any of the checksums over bytes as they pass.
struct ContentHasher {
    private var byteCount: Int64 = 0
    private var md5 = MD5()
    private var crc32: UInt32?
    private var crc32c: UInt64?
    private var crc64: UInt64?
    private var sha1: SHA1?
    private var sha256: SHA256?

    init(_ algorithms: Set<ChecksumAlgorithm>) {
        if algorithms.contains(.crc32) { crc32 = 0 }
        if algorithms.contains(.crc32c) { crc32c = 0 }
        if algorithms.contains(.crc64nvme) { crc64 = 0 }
        if algorithms.contains(.sha1) { sha1 = SHA1() }
        if algorithms.contains(.sha256) { sha256 = SHA256() }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        byteCount += Int64(bytes.count)
        md5.update(bytes)
        if let value = crc32 { crc32 = CRC32.update(value, bytes) }
        if let value = crc32c { crc32c = ReflectedCRC.crc32c.update(value, bytes) }
        if let value = crc64 { crc64 = ReflectedCRC.crc64nvme.update(value, bytes) }
        sha1?.update(bytes)
        sha256?.update(bytes)
    }

    mutating func finish() -> ContentDigests {
        var checksums: [ChecksumAlgorithm: [UInt8]] = [:]
        if let crc32 { checksums[.crc32] = BigEndian.bytes(UInt64(crc32), 4) }
        if let crc32c { checksums[.crc32c] = BigEndian.bytes(crc32c, 4) }
        if let crc64 { checksums[.crc64nvme] = BigEndian.bytes(crc64, 8) }
        if let digest = sha1?.finish() { checksums[.sha1] = digest }
        if let digest = sha256?.finish() { checksums[.sha256] = digest.bytes }
        return ContentDigests(byteCount: byteCount, md5: md5.finish(), checksums: checksums)
    }
}

/// Integers as S3 writes checksums.
enum BigEndian {
    static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
    }

    static func value(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
