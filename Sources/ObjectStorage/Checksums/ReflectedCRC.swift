/// Cyclic redundancy checks of 32 and 64 bits with reflected input and output, initial value and final complement all
/// ones: CRC-32C (RFC 3720 §12.1) and CRC-64/NVME (NVM Express NVM Command Set §5.2.1.3.4).
struct ReflectedCRC: Sendable {
    /// Eight tables of 256 entries, one after the other, for eight bytes a step.
    private let tables: [UInt64]
    private let polynomial: UInt64
    private let mask: UInt64

    static let crc32 = ReflectedCRC(polynomial: 0xEDB8_8320, bits: 32)
    static let crc32c = ReflectedCRC(polynomial: 0x82F6_3B78, bits: 32)
    static let crc64nvme = ReflectedCRC(polynomial: 0x9A6C_9329_AC4B_C9B5, bits: 64)

    /// - Parameter polynomial: in reflected form, without the leading term.
    init(polynomial: UInt64, bits: Int) {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for index in 0..<256 {
            var value = UInt64(index)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ polynomial : value >> 1 }
            tables[index] = value
        }
        for slice in 1..<8 {
            for index in 0..<256 {
                let before = tables[(slice - 1) * 256 + index]
                tables[slice * 256 + index] = (before >> 8) ^ tables[Int(before & 0xFF)]
            }
        }
        self.tables = tables
        self.polynomial = polynomial
        mask = bits == 64 ? .max : (1 << UInt64(bits)) - 1
    }

    /// The check of what `value` covers followed by `bytes`; 0 covers nothing.
    func update(_ value: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state = ~value & mask
        tables.withUnsafeBufferPointer { table in
            var offset = 0
            let wordsEnd = bytes.count & ~7
            while offset < wordsEnd {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ state
                let low =
                    table[0x700 + Int(word & 0xFF)] ^ table[0x600 + Int((word >> 8) & 0xFF)]
                    ^ table[0x500 + Int((word >> 16) & 0xFF)] ^ table[0x400 + Int((word >> 24) & 0xFF)]
                let high =
                    table[0x300 + Int((word >> 32) & 0xFF)] ^ table[0x200 + Int((word >> 40) & 0xFF)]
                    ^ table[0x100 + Int((word >> 48) & 0xFF)] ^ table[Int(word >> 56)]
                state = low ^ high
                offset += 8
            }
            while offset < bytes.count {
                state = (state >> 8) ^ table[Int((state ^ UInt64(bytes[offset])) & 0xFF)]
                offset += 1
            }
        }
        return ~state & mask
    }

    /// The check of two pieces one after the other, from the checks of each and the length of the second.
    ///
    /// A check is linear in its message: appending `n` zero bytes multiplies the register by x^(8n) modulo the
    /// polynomial, and the initial and final complements cancel.
    func combine(_ first: UInt64, _ second: UInt64, secondBytes: Int64) -> UInt64 {
        guard secondBytes > 0 else { return first }
        return multiply(power(ofEightTimes: UInt64(secondBytes)), first) ^ second
    }

    /// The reflected representation of 1: the highest coefficient position of the register.
    private var one: UInt64 { mask ^ (mask >> 1) }

    /// The product of two polynomials in reflected form, modulo the polynomial.
    private func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var product: UInt64 = 0
        var shifted = b
        var bit = one
        while bit != 0 {
            if a & bit != 0 { product ^= shifted }
            shifted = shifted & 1 == 1 ? (shifted >> 1) ^ polynomial : shifted >> 1
            bit >>= 1
        }
        return product
    }

    /// x to the power of 8 × `count`.
    private func power(ofEightTimes count: UInt64) -> UInt64 {
        var result = one
        var square = one >> 8
        var remaining = count
        while remaining != 0 {
            if remaining & 1 == 1 { result = multiply(square, result) }
            square = multiply(square, square)
            remaining >>= 1
        }
        return result
    }
}
