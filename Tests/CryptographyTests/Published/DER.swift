import Cryptography

/// Just enough DER to hand the numbers of a test vector to the wrappers, which take keys and signatures encoded only.
enum DER {
    static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        if content.count < 128 {
            length = [UInt8(content.count)]
        } else {
            var rest = content.count
            while rest > 0 {
                length.insert(UInt8(truncatingIfNeeded: rest), at: 0)
                rest >>= 8
            }
            length.insert(0x80 | UInt8(length.count), at: 0)
        }
        return [tag] + length + content
    }

    static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(0x30, parts.flatMap { $0 }) }

    /// A non-negative integer of big-endian bytes.
    static func integer(_ bytes: [UInt8]) -> [UInt8] {
        var digits = Array(bytes.drop { $0 == 0 })
        if digits.isEmpty || digits[0] >= 0x80 { digits.insert(0, at: 0) }
        return element(2, digits)
    }

    static func bitString(_ bytes: [UInt8]) -> [UInt8] { element(3, [0] + bytes) }

    private static let rsaEncryption: [UInt8] = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0]
    private static let ecPublicKey: [UInt8] = [0x06, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]

    static func rsaPublicKey(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
        sequence(sequence(rsaEncryption), bitString(sequence(integer(modulus), integer(exponent))))
    }

    static func ecPublicKey(_ curve: Curve, x: [UInt8], y: [UInt8]) -> [UInt8] {
        sequence(sequence(ecPublicKey, curve.identifier), bitString([4] + curve.padded(x) + curve.padded(y)))
    }

    static func ecPrivateKey(_ curve: Curve, _ scalar: [UInt8]) -> [UInt8] {
        let key = sequence(integer([1]), element(4, curve.padded(scalar)))
        return sequence(integer([0]), sequence(ecPublicKey, curve.identifier), element(4, key))
    }

    static func ecdsaSignature(r: [UInt8], s: [UInt8]) -> [UInt8] { sequence(integer(r), integer(s)) }
}

/// A curve under the names that the vectors use.
enum Curve: String, CaseIterable {
    case p256 = "P-256"
    case p384 = "P-384"
    case p521 = "P-521"
    case secp256k1 = "K-256"

    var bytes: Int {
        switch self {
        case .p256, .secp256k1: 32
        case .p384: 48
        case .p521: 66
        }
    }

    var identifier: [UInt8] {
        switch self {
        case .p256: [0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7]
        case .p384: [0x06, 5, 0x2B, 0x81, 4, 0, 0x22]
        case .p521: [0x06, 5, 0x2B, 0x81, 4, 0, 0x23]
        case .secp256k1: [0x06, 5, 0x2B, 0x81, 4, 0, 0x0A]
        }
    }

    /// A coordinate or scalar at full width; one that is too large stays so, as an attacker would send it.
    func padded(_ number: [UInt8]) -> [UInt8] {
        let digits = Array(number.drop { $0 == 0 })
        return [UInt8](repeating: 0, count: max(0, bytes - digits.count)) + digits
    }
}
