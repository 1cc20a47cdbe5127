import Cryptography

/// The keyed id of a record: the first 16 bytes of a pseudo-random function of the content's hash and length under the
/// domain's id key. What the index, the packs and the database know a record by.
struct RecordID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Bytes 0…7, big-endian.
    let high: UInt64
    /// Bytes 8…15, big-endian.
    let low: UInt64

    static let byteCount = 16

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The first 16 bytes of `bytes`.
    init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count >= 16)
        high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    var bytes: [UInt8] {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
    }

    func write(to buffer: UnsafeMutableRawPointer) {
        buffer.storeBytes(of: high.bigEndian, as: UInt64.self)
        buffer.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }

    static func < (a: RecordID, b: RecordID) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }

    var description: String { Hex.encode(bytes) }
}

/// 32 bytes of key that travel inside encrypted trees.
struct RecordKey: Hashable, Sendable {
    private let a: UInt64
    private let b: UInt64
    private let c: UInt64
    private let d: UInt64

    init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count >= 32)
        a = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        b = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        c = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        d = bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try Swift.withUnsafeBytes(of: (a, b, c, d), body)
    }
}

/// A capability to one record: whoever holds it can find, open and check it, and nothing else.
struct Ref: Hashable, Sendable {
    /// Length of the plaintext in bytes.
    var count: Int
    /// SHA-256 of the plaintext.
    var digest: SHA256Digest
    /// Where it is found.
    var id: RecordID
    /// What opens it.
    var key: RecordKey
    /// CRC-32 of the plaintext of a chunk, for ZIP; 0 for other records.
    var crc: UInt32
}

/// What a record holds.
enum RecordKind: UInt8, Sendable {
    /// Plain bytes of a file.
    case chunk = 1
    /// The list of a file's chunks.
    case node = 2
    /// A directory.
    case tree = 3
}
