public import Cryptography

/// Labelled key derivation: HKDF-Expand-SHA-256 (RFC 5869) with
/// info = `"coffer/1/"` ‖ label ‖ 0x00 ‖ LP(f1) ‖ … ‖ LP(fn), where LP is a 32-bit big-endian length and the bytes.
///
/// Keys are 32 uniformly random bytes or a previous output, so that expansion alone is sound.
public enum Derivation {
    /// `count` bytes derived from `key` for a label and fields.
    public static func expand(_ key: SecretBytes, _ label: String, _ count: Int, _ fields: [UInt8]...) -> SecretBytes {
        var info = ByteWriter()
        info.bytes.reserveCapacity(fields.reduce(10 + label.utf8.count) { $0 + 4 + $1.count })
        info.append("coffer/1/")
        info.append(label.utf8)
        info.append(0 as UInt8)
        for field in fields { info.appendPrefixed(field) }
        return HKDFSHA256.expand(key: key, info: info.bytes, count: count)
    }

    /// The same from bytes that are the label and the fields already, written by ``ByteCursor``.
    static func expand(_ key: SecretBytes, info: UnsafeRawBufferPointer, _ count: Int) -> SecretBytes {
        SecretBytes(count: count) { output in
            key.withUnsafeBytes { HKDFSHA256.expand(key: $0, info: info, into: output) }
        }
    }
}

/// The same derivation for one key and label used many times: the key schedule and the label's bytes are kept.
public struct LabelledDerivation: Sendable {
    private let mac: HMACSHA256
    private let prefix: [UInt8]

    /// Fixes the key and the label.
    public init(key: SecretBytes, label: String) {
        mac = HMACSHA256(key: key)
        prefix = Array("coffer/1/".utf8) + Array(label.utf8) + [0]
    }

    /// Fills `output` from fields that already carry their length prefixes. Allocates nothing for up to 1 KiB of fields.
    public func derive(prefixedFields fields: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
        withUnsafeTemporaryAllocation(byteCount: prefix.count + fields.count, alignment: 16) { info in
            info.copyBytes(from: prefix)
            UnsafeMutableRawBufferPointer(rebasing: info[prefix.count...]).copyMemory(from: fields)
            var keyed = mac
            HKDFSHA256.expand(keyed: &keyed, info: UnsafeRawBufferPointer(info), into: output)
        }
    }
}
