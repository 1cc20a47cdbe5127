import Compression
import Cryptography
import Foundation

/// The pack's fixed parts. A pack is: header (64 bytes) · records and sealed index frames · SHA-256 of every MiB of what
/// precedes · trailer (96 bytes). All integers are little-endian. Records mix domains; only the index frames, sealed under
/// the storage key, say what is where.
enum PackFormat {
    static let headerBytes = 64
    static let trailerBytes = 96
    static let majorVersion: UInt16 = 1
    /// Stretch of a pack that one digest covers.
    static let digestSpan = 1 << 20

    private static let magic: [UInt8] = [0x43, 0x46, 0x50, 0x4B, 0x01, 0x0D, 0x0A, 0x1A]
    private static let endMagic: [UInt8] = Array("CFPKEND1".utf8)

    static func header(id: [UInt8], packClass: PackClass, storageKeyVersion: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: headerBytes)
        bytes.replaceSubrange(0..<8, with: magic)
        bytes.putLittle(majorVersion, at: 8)
        bytes[12] = packClass.rawValue
        bytes[13] = 1  // AES-256-GCM
        bytes.replaceSubrange(16..<32, with: id)
        bytes.putLittle(storageKeyVersion, at: 48)
        bytes.putLittle(CRC32.checksum(Array(bytes[0..<60])), at: 60)
        return bytes
    }

    struct Header {
        var id: [UInt8]
        var packClass: PackClass
        var storageKeyVersion: UInt32
    }

    static func parseHeader(_ bytes: [UInt8]) throws -> Header {
        guard bytes.count == headerBytes, Array(bytes[0..<8]) == magic else {
            throw FormatError("it has no pack header")
        }
        guard CRC32.checksum(Array(bytes[0..<60])) == bytes.little32(at: 60) else {
            throw FormatError("its header is damaged")
        }
        guard bytes.little16(at: 8) == majorVersion else {
            throw FormatError("it has format \(bytes.little16(at: 8)), which this version does not know")
        }
        guard let packClass = PackClass(rawValue: bytes[12]), bytes[13] == 1 else {
            throw FormatError("it has an unknown class or cipher")
        }
        return Header(id: Array(bytes[16..<32]), packClass: packClass, storageKeyVersion: bytes.little32(at: 48))
    }

    struct Trailer: Equatable {
        /// Where the last index frame starts, and its length; earlier ones are chained to it.
        var lastFrameOffset: UInt32
        var lastFrameBytes: UInt32
        var records: UInt32
        var frames: UInt32
        var plainBytes: UInt64
        /// Bytes before the digests.
        var bodyBytes: UInt64
        /// SHA-256 of the digests.
        var digest: SHA256Digest
    }

    static func encode(_ trailer: Trailer) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: trailerBytes)
        bytes.putLittle(trailer.lastFrameOffset, at: 0)
        bytes.putLittle(trailer.lastFrameBytes, at: 4)
        bytes.putLittle(trailer.records, at: 8)
        bytes.putLittle(trailer.frames, at: 12)
        bytes.putLittle(trailer.plainBytes, at: 16)
        bytes.putLittle(trailer.bodyBytes, at: 24)
        trailer.digest.withUnsafeBytes { bytes.replaceSubrange(32..<64, with: $0) }
        bytes.replaceSubrange(88..<96, with: endMagic)
        bytes.putLittle(CRC32.checksum(Array(bytes[0..<84])), at: 84)
        return bytes
    }

    static func parseTrailer(_ bytes: [UInt8]) throws -> Trailer {
        guard bytes.count == trailerBytes, Array(bytes[88..<96]) == endMagic else {
            throw FormatError("its trailer is missing")
        }
        guard CRC32.checksum(Array(bytes[0..<84])) == bytes.little32(at: 84),
            let digest = SHA256Digest(bytes: Array(bytes[32..<64]))
        else { throw FormatError("its trailer is damaged") }
        return Trailer(
            lastFrameOffset: bytes.little32(at: 0), lastFrameBytes: bytes.little32(at: 4),
            records: bytes.little32(at: 8),
            frames: bytes.little32(at: 12), plainBytes: bytes.little64(at: 16), bodyBytes: bytes.little64(at: 24),
            digest: digest)
    }
}

extension [UInt8] {
    mutating func putLittle<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    mutating func appendLittle<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    mutating func appendBig<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    func little16(at offset: Int) -> UInt16 { withUnsafeBytes { $0.little16(at: offset) } }
    func little32(at offset: Int) -> UInt32 { withUnsafeBytes { $0.little32(at: offset) } }
    func little64(at offset: Int) -> UInt64 { withUnsafeBytes { $0.little64(at: offset) } }
}

extension UnsafeRawBufferPointer {
    func little16(at offset: Int) -> UInt16 {
        UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    func little32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func little64(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    func big32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
