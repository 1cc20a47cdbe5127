/// The canonical encoding of an encryption context: pairs sorted by the UTF-8 bytes of their keys, a 32-bit count, then
/// LP(key) ‖ LP(value) for each. Absent equals empty; no Unicode normalisation. The encoding is injective.
public enum EncryptionContext {
    /// The longest canonical encoding accepted.
    public static let bytesMax = 8192

    /// The canonical bytes.
    public static func encode(_ context: [String: String]) -> [UInt8] {
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(context.reduce(4) { $0 + 8 + $1.key.utf8.count + $1.value.utf8.count })
        writer.append(UInt32(context.count))
        if context.count <= 1 {
            for (key, value) in context {
                writer.appendPrefixed(key.utf8)
                writer.appendPrefixed(value.utf8)
            }
            return writer.bytes
        }
        let pairs = context.map { (Array($0.key.utf8), Array($0.value.utf8)) }
            .sorted { $0.0.lexicographicallyPrecedes($1.0) }
        for (key, value) in pairs {
            writer.appendPrefixed(key)
            writer.appendPrefixed(value)
        }
        return writer.bytes
    }

    /// The canonical bytes. Throws `ValidationException` past `bytesMax`.
    static func checked(_ context: [String: String]) throws(KeyError) -> [UInt8] {
        let bytes = encode(context)
        guard bytes.count <= bytesMax else {
            throw KeyError(
                .validation, "The encryption context encodes to \(bytes.count) bytes; at most \(bytesMax) are allowed.")
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) throws(KeyFormatError) -> [String: String] {
        var reader = ByteReader(bytes, "encryption context")
        var context: [String: String] = [:]
        for _ in 0..<(try reader.uint32()) {
            let key = String(decoding: try reader.prefixed(), as: UTF8.self)
            context[key] = String(decoding: try reader.prefixed(), as: UTF8.self)
        }
        try reader.end()
        return context
    }
}
