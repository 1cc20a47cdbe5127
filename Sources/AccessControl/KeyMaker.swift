import Cryptography

/// Makes access key ids and secrets in AWS's shapes.
enum KeyMaker {
    private static let identifierAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
    private static let secretAlphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// `AKIA…` for lasting keys, `ASIA…` for temporary ones: twenty characters.
    static func accessKeyID(prefix: String) -> String {
        // 256 is a multiple of 32, so the low bits are uniform.
        let characters = SecureRandom.bytes(16).map { identifierAlphabet[Int($0 & 31)] }
        return prefix + String(decoding: characters, as: UTF8.self)
    }

    /// Forty characters of base 64: 240 random bits.
    static func secret() -> String {
        let characters = SecureRandom.bytes(40).map { secretAlphabet[Int($0 & 63)] }
        return String(decoding: characters, as: UTF8.self)
    }

    static func isAccessKeyID(_ text: String) -> Bool {
        (16...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    static func isSecret(_ text: String) -> Bool {
        (8...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
