import Compression
import Cryptography

/// One worker's tools, reused from record to record.
final class Worker: @unchecked Sendable {
    // Proof: a worker is lent to one thread at a time by `WorkerPool`, whose lock orders the hand-overs.
    let gcm: GCMContext
    let deflater: Deflater
    let inflater: Inflater
    /// Room for one sealed record.
    let scratch: UnsafeMutableRawBufferPointer
    /// Random bytes for nonces, drawn in batches.
    private var nonces: [UInt8] = []
    private var nextNonce = 0

    /// Records larger than this are refused: a chunk is at most 256 KiB, a tree of 2,048 entries at most a few MiB.
    static let recordMaximum = 8 << 20

    init(level: Int) throws {
        gcm = try GCMContext()
        deflater = try Deflater(level: level)
        inflater = try Inflater()
        scratch = .allocate(byteCount: 320 << 10, alignment: 64)
    }

    deinit { scratch.deallocate() }

    func nonce(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        if nextNonce + 12 > nonces.count {
            nonces = SecureRandom.bytes(12 * 256)
            nextNonce = 0
        }
        defer { nextNonce += 12 }
        try nonces.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[nextNonce..<nextNonce + 12])) }
    }
}

/// The record: `"CFC1"`, u32 record length, 12 bytes of nonce, 32 bytes of commitment, ciphertext, tag. Its plaintext, the
/// frame, is u8 codec ‖ u32 plain length ‖ u32 encoded length ‖ payload ‖ zeros to the next Padmé size. Integers are
/// big-endian. EK ‖ KC = X(CK, "chunk", 64; domain, epoch, id); additional data = header ‖ domain ‖ epoch ‖ id.
enum RecordCipher {
    static let headerBytes = 52
    static let frameHeaderBytes = 9
    static let overhead = headerBytes + frameHeaderBytes + AES256GCM.tagBytes
    private static let magic: UInt32 = 0x4346_4331  // "CFC1"

    /// The next size that Padmé allows: at most log log of the length is learned from it.
    static func padded(_ count: Int) -> Int {
        guard count > 2 else { return count }
        let exponent = Int.bitWidth - 1 - count.leadingZeroBitCount
        let significant = Int.bitWidth - (exponent).leadingZeroBitCount
        let last = exponent - significant
        guard last > 0 else { return count }
        let mask = (1 << last) - 1
        return (count + mask) & ~mask
    }

    /// The length of a record whose payload has `encodedBytes` bytes.
    static func recordBytes(encodedBytes: Int) -> Int {
        headerBytes + padded(frameHeaderBytes + encodedBytes) + AES256GCM.tagBytes
    }

    struct Sealed {
        var codec: RecordCodec
        var encodedBytes: Int
        /// See `Location.check`.
        var check: UInt32
        var record: UnsafeRawBufferPointer
    }

    /// Compresses and encrypts `plaintext` and lends the record to `body`.
    static func seal<R>(
        _ plaintext: UnsafeRawBufferPointer, key: RecordKey, id: RecordID, domain: RecordDomain, compress: Bool,
        worker: Worker, _ body: (Sealed) throws -> R
    ) throws -> R {
        let bound = headerBytes + padded(frameHeaderBytes + plaintext.count) + AES256GCM.tagBytes
        if bound <= worker.scratch.count {
            return try seal(plaintext, key, id, domain, compress, worker, in: worker.scratch, body)
        }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bound, alignment: 64)
        defer { room.deallocate() }
        return try seal(plaintext, key, id, domain, compress, worker, in: room, body)
    }

    private static func seal<R>(
        _ plaintext: UnsafeRawBufferPointer, _ key: RecordKey, _ id: RecordID, _ domain: RecordDomain,
        _ compress: Bool,
        _ worker: Worker, in room: UnsafeMutableRawBufferPointer, _ body: (Sealed) throws -> R
    ) throws -> R {
        let payload = UnsafeMutableRawBufferPointer(rebasing: room[(headerBytes + frameHeaderBytes)...])
        var codec = RecordCodec.stored
        var encoded = plaintext.count
        if compress, plaintext.count >= 64 {
            // Kept only when it saves at least 3 %: the deflater stops where the output would grow beyond that.
            let limit = UnsafeMutableRawBufferPointer(rebasing: payload[..<(plaintext.count * 97 / 100)])
            if let count = try? worker.deflater.compressFragment(plaintext, into: limit) {
                codec = .deflate
                encoded = count
            }
        }
        if codec == .stored { UnsafeMutableRawBufferPointer(rebasing: payload[..<encoded]).copyMemory(from: plaintext) }
        let frameBytes = padded(frameHeaderBytes + encoded)
        let total = headerBytes + frameBytes + AES256GCM.tagBytes
        let frame = UnsafeMutableRawBufferPointer(rebasing: room[headerBytes..<headerBytes + frameBytes])
        frame[0] = codec.rawValue
        frame.storeBytes(of: UInt32(plaintext.count).bigEndian, toByteOffset: 1, as: UInt32.self)
        frame.storeBytes(of: UInt32(encoded).bigEndian, toByteOffset: 5, as: UInt32.self)
        for index in frameHeaderBytes + encoded..<frameBytes { frame[index] = 0 }
        // What is stored as it is has only one encoding.
        var check: UInt32 = 0
        if codec == .deflate {
            check = CRC32.update(CRC32.initial, UnsafeRawBufferPointer(rebasing: payload[..<encoded]))
        }
        room.storeBytes(of: magic.bigEndian, as: UInt32.self)
        room.storeBytes(of: UInt32(total).bigEndian, toByteOffset: 4, as: UInt32.self)
        worker.nonce { UnsafeMutableRawBufferPointer(rebasing: room[8..<20]).copyMemory(from: $0) }
        try withMaterial(key, id, domain, hasMask: codec == .deflate) { encryptionKey, commitment, mask in
            check ^= mask
            UnsafeMutableRawBufferPointer(rebasing: room[20..<52]).copyMemory(from: commitment)
            try withAdditionalData(UnsafeRawBufferPointer(room), id, domain) { additional in
                try worker.gcm.seal(
                    key: encryptionKey, nonce: UnsafeRawBufferPointer(rebasing: room[8..<20]),
                    additionalData: additional,
                    UnsafeRawBufferPointer(frame), into: frame,
                    tag: UnsafeMutableRawBufferPointer(rebasing: room[total - AES256GCM.tagBytes..<total]))
            }
        }
        return try body(
            Sealed(
                codec: codec, encodedBytes: encoded, check: check,
                record: UnsafeRawBufferPointer(rebasing: room[..<total])))
    }

    /// The frame of a record once it is authenticated, before it is inflated.
    struct Frame {
        var codec: RecordCodec
        var plainBytes: Int
        /// The encoded payload.
        var payload: UnsafeRawBufferPointer
    }

    /// Checks commitment and tag of `record`, decrypting it in place, and lends the frame to `body`.
    static func open<R>(
        _ record: UnsafeMutableRawBufferPointer, key: RecordKey, id: RecordID, domain: RecordDomain, worker: Worker,
        _ body: (Frame) throws -> R
    ) throws -> R {
        guard record.count >= overhead,
            UInt32(bigEndian: record.loadUnaligned(fromByteOffset: 0, as: UInt32.self)) == magic,
            Int(UInt32(bigEndian: record.loadUnaligned(fromByteOffset: 4, as: UInt32.self))) == record.count
        else { throw FormatError("it has no valid header") }
        let frame = UnsafeMutableRawBufferPointer(rebasing: record[headerBytes..<record.count - AES256GCM.tagBytes])
        try withMaterial(key, id, domain) { encryptionKey, commitment, _ in
            guard constantTimeEqual(commitment, UnsafeRawBufferPointer(rebasing: record[20..<52])) else {
                throw FormatError("it does not belong to this content")
            }
            try withAdditionalData(UnsafeRawBufferPointer(record), id, domain) { additional in
                do {
                    try worker.gcm.open(
                        key: encryptionKey, nonce: UnsafeRawBufferPointer(rebasing: record[8..<20]),
                        additionalData: additional, UnsafeRawBufferPointer(frame),
                        tag: UnsafeRawBufferPointer(rebasing: record[(record.count - AES256GCM.tagBytes)...]),
                        into: frame)
                } catch {
                    throw FormatError("its authentication failed")
                }
            }
        }
        let bytes = UnsafeRawBufferPointer(frame)
        let plain = Int(bytes.big32(at: 1))
        let encoded = Int(bytes.big32(at: 5))
        guard let codec = RecordCodec(rawValue: bytes[0]), encoded <= bytes.count - frameHeaderBytes,
            plain <= Worker.recordMaximum, codec == .deflate || plain == encoded
        else { throw FormatError("its lengths are wrong") }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[frameHeaderBytes..<frameHeaderBytes + encoded])
        return try body(Frame(codec: codec, plainBytes: plain, payload: payload))
    }

    /// What the check of a record's payload is masked with; see `Location.check`.
    static func checkMask(key: RecordKey, id: RecordID, domain: RecordDomain) -> UInt32 {
        var result: UInt32 = 0
        withMaterial(key, id, domain, hasMask: true) { _, _, mask in result = mask }
        return result
    }

    /// - Parameter hasMask: whether to derive, behind the key and the commitment, the mask of the payload's check.
    private static func withMaterial(
        _ key: RecordKey, _ id: RecordID, _ domain: RecordDomain, hasMask: Bool = false,
        _ body: (_ key: UnsafeRawBufferPointer, _ commitment: UnsafeRawBufferPointer, _ mask: UInt32) throws -> Void
    ) rethrows {
        try withUnsafeTemporaryAllocation(byteCount: 200, alignment: 8) { room in
            let label: StaticString = "coffer/1/chunk\0"
            var length = label.utf8CodeUnitCount
            room.baseAddress?.copyMemory(from: label.utf8Start, byteCount: length)
            domain.recordFields.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: room[length..<length + $0.count]).copyMemory(from: $0)
                length += $0.count
            }
            room.storeBytes(of: UInt32(16).bigEndian, toByteOffset: length, as: UInt32.self)
            length += 4
            room.storeBytes(of: id.high.bigEndian, toByteOffset: length, as: UInt64.self)
            room.storeBytes(of: id.low.bigEndian, toByteOffset: length + 8, as: UInt64.self)
            length += 16
            let info = UnsafeRawBufferPointer(rebasing: room[..<length])
            let output = UnsafeMutableRawBufferPointer(rebasing: room[128..<192 + (hasMask ? 4 : 0)])
            key.withUnsafeBytes { HKDFSHA256.expand(key: $0, info: info, into: output) }
            defer { for index in 128..<160 { room[index] = 0 } }
            try body(
                UnsafeRawBufferPointer(rebasing: output[..<32]), UnsafeRawBufferPointer(rebasing: output[32..<64]),
                hasMask ? UnsafeRawBufferPointer(output).little32(at: 64) : 0)
        }
    }

    private static func withAdditionalData(
        _ record: UnsafeRawBufferPointer, _ id: RecordID, _ domain: RecordDomain,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let tail = domain.additionalTail
        try withUnsafeTemporaryAllocation(byteCount: headerBytes + tail.count + 16, alignment: 8) { room in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: record[..<headerBytes]))
            tail.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: room[headerBytes..<headerBytes + $0.count]).copyMemory(from: $0)
            }
            room.storeBytes(of: id.high.bigEndian, toByteOffset: headerBytes + tail.count, as: UInt64.self)
            room.storeBytes(of: id.low.bigEndian, toByteOffset: headerBytes + tail.count + 8, as: UInt64.self)
            try body(UnsafeRawBufferPointer(room))
        }
    }
}
