/// HMAC-SHA-224 (RFC 4231), incremental.
public struct HMACSHA224: Sendable {
    private var mac: KeyedMAC<SHA224>

    /// Keyed and ready; copies continue independently.
    public init(key: UnsafeRawBufferPointer) { mac = KeyedMAC(key: key) }

    /// Keyed and ready; copies continue independently.
    public init(key: [UInt8]) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Keyed and ready; copies continue independently.
    public init(key: SecretBytes) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { mac.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { mac.update($0) } }

    /// The code of everything since the last finish; ready for another message under the same key.
    public mutating func finish() -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA224.digestBytes)
        code.withUnsafeMutableBytes { mac.finish(into: $0) }
        return code
    }

    /// Writes the code of everything since the last finish; ready for another message under the same key.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= SHA224.digestBytes, "no room for the code")
        mac.finish(into: output)
    }

    /// The code of one message.
    public static func code(key: UnsafeRawBufferPointer, _ message: UnsafeRawBufferPointer) -> [UInt8] {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of one message.
    public static func code(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }

    /// The code of one message.
    public static func code(key: SecretBytes, _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }
}

/// HMAC-SHA-384 (RFC 4231), incremental.
public struct HMACSHA384: Sendable {
    private var mac: KeyedMAC<SHA384>

    /// Keyed and ready; copies continue independently.
    public init(key: UnsafeRawBufferPointer) { mac = KeyedMAC(key: key) }

    /// Keyed and ready; copies continue independently.
    public init(key: [UInt8]) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Keyed and ready; copies continue independently.
    public init(key: SecretBytes) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { mac.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { mac.update($0) } }

    /// The code of everything since the last finish; ready for another message under the same key.
    public mutating func finish() -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA384.digestBytes)
        code.withUnsafeMutableBytes { mac.finish(into: $0) }
        return code
    }

    /// Writes the code of everything since the last finish; ready for another message under the same key.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= SHA384.digestBytes, "no room for the code")
        mac.finish(into: output)
    }

    /// The code of one message.
    public static func code(key: UnsafeRawBufferPointer, _ message: UnsafeRawBufferPointer) -> [UInt8] {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of one message.
    public static func code(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }

    /// The code of one message.
    public static func code(key: SecretBytes, _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }
}

/// HMAC-SHA-512 (RFC 4231), incremental.
public struct HMACSHA512: Sendable {
    private var mac: KeyedMAC<SHA512>

    /// Keyed and ready; copies continue independently.
    public init(key: UnsafeRawBufferPointer) { mac = KeyedMAC(key: key) }

    /// Keyed and ready; copies continue independently.
    public init(key: [UInt8]) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Keyed and ready; copies continue independently.
    public init(key: SecretBytes) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { mac.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { mac.update($0) } }

    /// The code of everything since the last finish; ready for another message under the same key.
    public mutating func finish() -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA512.digestBytes)
        code.withUnsafeMutableBytes { mac.finish(into: $0) }
        return code
    }

    /// Writes the code of everything since the last finish; ready for another message under the same key.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= SHA512.digestBytes, "no room for the code")
        mac.finish(into: output)
    }

    /// The code of one message.
    public static func code(key: UnsafeRawBufferPointer, _ message: UnsafeRawBufferPointer) -> [UInt8] {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of one message.
    public static func code(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }

    /// The code of one message.
    public static func code(key: SecretBytes, _ message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }
}
