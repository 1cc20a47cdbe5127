import Cryptography

/// Key derivation: HKDF-Expand-SHA-256 (RFC 5869) with info = `"coffer/1/"` ‖ label ‖ `0x00` ‖ each field with its length.
enum Derivation {
    static func info(_ label: String, _ fields: [[UInt8]]) -> [UInt8] {
        var info = Array("coffer/1/\(label)".utf8)
        info.append(0)
        for field in fields {
            info.appendBig(UInt32(field.count))
            info += field
        }
        return info
    }

    static func secret(_ key: SecretBytes, _ label: String, _ fields: [[UInt8]], count: Int = 32) -> SecretBytes {
        HKDFSHA256.expand(key: key, info: info(label, fields), count: count)
    }
}
