import Cryptography
import Synchronization

/// A chunker whose cuts tell nothing about its key: it cuts where a pseudo-random function (AES-128) of a universal hash of
/// the last bytes says so. A keyed gear or Rabin hash that decides directly gives away an equation about its key with every
/// cut that somebody sees; this one gives away a bit of AES.
///
/// State: 192 bits, `s ← (s ≪ 1) ⊕ G[b]` per byte, with a secret table G of 256 values. A place is a cut if the last eight
/// bytes of `AES(k, top 128 bits of s)` have zeros under the mask, strict before the target size and loose after it, as in
/// ``GearCutter``. Blocks are encrypted 1,024 at a time, which is speed only: places do not depend on it.
final class PRFCutter: StreamCutter {
    static let minimum = GearCutter.minimum
    static let target = GearCutter.target
    let maximum = 256 << 10
    private static let strictMask: UInt64 = ~0 << (64 - 17)
    private static let looseMask: UInt64 = ~0 << (64 - 15)
    /// The state depends on so many bytes.
    private static let windowBytes = 192
    private static let batch = 1024

    /// The table, 24 bytes an entry: top, middle and low word.
    private let table: [UInt64]
    private let key: SecretBytes
    private let idle = Mutex(Idle())

    /// Ciphers between uses.
    ///
    /// Proof: the list, behind its lock, is the only owner of a cipher that is in it; `take` hands it to one caller.
    private struct Idle: @unchecked Sendable { var ciphers: [AES128Blocks] = [] }

    init(cutKey: SecretBytes) throws {
        let count = AES128Blocks.keyBytes + 256 * 24
        var stream: [UInt8] = []
        for block in 0..<UInt32((count + 31) / 32) {
            var field: [UInt8] = []
            field.appendBig(block)
            Derivation.secret(cutKey, "cdc/stream", [field]).withUnsafeBytes { stream.append(contentsOf: $0) }
        }
        key = SecretBytes(copying: Array(stream[..<AES128Blocks.keyBytes]))
        table = stream.withUnsafeBytes { bytes in
            (0..<256 * 3).map { word in
                UInt64(
                    bigEndian: bytes.loadUnaligned(
                        fromByteOffset: AES128Blocks.keyBytes + word * 8, as: UInt64.self))
            }
        }
        for index in stream.indices { stream[index] = 0 }
        // Shows now, rather than at the first cut, whether libcrypto has the cipher.
        giveBack(try AES128Blocks(key: key))
    }

    private func take() throws(CryptographyError) -> AES128Blocks {
        if let cipher = idle.withLock({ $0.ciphers.popLast() }) { return cipher }
        return try AES128Blocks(key: key)
    }

    private func giveBack(_ cipher: AES128Blocks) {
        // The boxed copy carries the only reference that is used from here on.
        let returned = Idle(ciphers: [cipher])
        idle.withLock { if $0.ciphers.count < 16 { $0.ciphers += returned.ciphers } }
    }

    func cut(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws -> Int? {
        let count = bytes.count
        guard count > Self.minimum else { return isLast && count > 0 ? count : nil }
        let cipher = try take()
        defer { giveBack(cipher) }
        if let found = try scan(bytes, cipher, to: min(count, maximum)) { return found }
        if count >= maximum { return maximum }
        return isLast ? count : nil
    }

    private func scan(_ bytes: UnsafeRawBufferPointer, _ cipher: AES128Blocks, to end: Int) throws -> Int? {
        try table.withUnsafeBufferPointer { table in
            try withUnsafeTemporaryAllocation(byteCount: Self.batch * 16, alignment: 16) { blocks in
                var state = State()
                var position = Self.minimum - Self.windowBytes
                while position < Self.minimum {
                    state.take(bytes[position], table)
                    position += 1
                }
                while position < end {
                    let count = min(Self.batch, end - position)
                    for index in 0..<count {
                        state.take(bytes[position + index], table)
                        blocks.storeBytes(of: state.top.bigEndian, toByteOffset: index * 16, as: UInt64.self)
                        blocks.storeBytes(of: state.middle.bigEndian, toByteOffset: index * 16 + 8, as: UInt64.self)
                    }
                    try cipher.permute(UnsafeMutableRawBufferPointer(rebasing: blocks[..<(count * 16)]))
                    for index in 0..<count {
                        let value = UInt64(bigEndian: blocks.load(fromByteOffset: index * 16 + 8, as: UInt64.self))
                        let mask = position + index < Self.target ? Self.strictMask : Self.looseMask
                        if value & mask == 0 { return position + index + 1 }
                    }
                    position += count
                }
                return nil
            }
        }
    }

    private struct State {
        var top: UInt64 = 0
        var middle: UInt64 = 0
        var low: UInt64 = 0

        @inline(__always)
        mutating func take(_ byte: UInt8, _ table: UnsafeBufferPointer<UInt64>) {
            let entry = Int(byte) &* 3
            top = (top << 1 | middle >> 63) ^ table[entry]
            middle = (middle << 1 | low >> 63) ^ table[entry &+ 1]
            low = low << 1 ^ table[entry &+ 2]
        }
    }
}
