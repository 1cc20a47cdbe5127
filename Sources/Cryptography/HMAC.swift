/// HMAC (RFC 2104), incremental, over a hash whose state is a value: the keyed inner and outer states are computed once, so
/// a message costs no key schedule. Copies continue independently.
public struct HMAC<Hash: BlockHash>: Sendable {
    private let inner: Hash
    private let outer: Hash
    private var running: Hash

    /// Keyed and ready.
    public init(key: UnsafeRawBufferPointer) {
        var inner = Hash()
        var outer = Hash()
        withUnsafeTemporaryAllocation(byteCount: Hash.blockBytes, alignment: 16) { block in
            for index in 0..<block.count { block[index] = 0 }
            if key.count > block.count {
                var hash = Hash()
                hash.update(key)
                hash.finish(into: block)
            } else {
                block.copyMemory(from: key)
            }
            for index in 0..<block.count { block[index] ^= 0x36 }
            inner.update(UnsafeRawBufferPointer(block))
            for index in 0..<block.count { block[index] ^= 0x36 ^ 0x5C }
            outer.update(UnsafeRawBufferPointer(block))
            wipe(block)
        }
        self.inner = inner
        self.outer = outer
        running = inner
    }

    /// Keyed and ready.
    public init(key: [UInt8]) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Keyed and ready.
    public init(key: SecretBytes) { self = key.withUnsafeBytes { Self(key: $0) } }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { running.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { running.update($0) } }

    /// Writes the code of everything since the last finish; ready for another message under the same key.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Hash.digestBytes, "no room for the code")
        running.finish(into: output)
        var last = outer
        last.update(UnsafeRawBufferPointer(rebasing: output[..<Hash.digestBytes]))
        last.finish(into: output)
        running = inner
    }

    /// The code of everything since the last finish; ready for another message under the same key.
    public mutating func finish() -> [UInt8] {
        var code = [UInt8](repeating: 0, count: Hash.digestBytes)
        code.withUnsafeMutableBytes { finish(into: $0) }
        return code
    }

    /// The code of one message.
    public static func code(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of one message.
    public static func code(key: SecretBytes, _ message: [UInt8]) -> [UInt8] {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of a message that is nobody else's business.
    public static func code(key: SecretBytes, _ message: SecretBytes) -> [UInt8] {
        var mac = Self(key: key)
        message.withUnsafeBytes { mac.update($0) }
        return mac.finish()
    }
}

/// HMAC-SHA-1 (RFC 2202), for legacy signatures.
public typealias HMACSHA1 = HMAC<SHA1>
/// HMAC-SHA-224 (RFC 4231).
public typealias HMACSHA224 = HMAC<SHA224>
/// HMAC-SHA-384 (RFC 4231).
public typealias HMACSHA384 = HMAC<SHA384>
/// HMAC-SHA-512 (RFC 4231).
public typealias HMACSHA512 = HMAC<SHA512>

/// HMAC-SHA-256 (RFC 4231), incremental.
///
/// A type of its own: keys are derived with it for every record, and other modules would call the generic one through a
/// table. Its codes are values that do not allocate.
public struct HMACSHA256: Sendable {
    private var mac: HMAC<SHA256>

    /// Keyed and ready; copies continue independently.
    public init(key: UnsafeRawBufferPointer) { mac = HMAC(key: key) }

    /// Keyed and ready; copies continue independently.
    public init(key: [UInt8]) { mac = HMAC(key: key) }

    /// Keyed and ready; copies continue independently.
    public init(key: SecretBytes) { mac = HMAC(key: key) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { mac.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { mac.update(bytes) }

    /// The code of everything since the last finish; ready for another message under the same key.
    public mutating func finish() -> SHA256Digest {
        var code = SHA256Digest()
        code.withUnsafeMutableBytes { mac.finish(into: $0) }
        return code
    }

    /// Writes the code of everything since the last finish; ready for another message under the same key.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) { mac.finish(into: output) }

    /// The code of one message.
    public static func code(key: UnsafeRawBufferPointer, _ message: UnsafeRawBufferPointer) -> SHA256Digest {
        var mac = Self(key: key)
        mac.update(message)
        return mac.finish()
    }

    /// The code of one message.
    public static func code(key: [UInt8], _ message: [UInt8]) -> SHA256Digest {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }

    /// The code of one message.
    public static func code(key: SecretBytes, _ message: [UInt8]) -> SHA256Digest {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }

    /// The code of a message that is nobody else's business.
    public static func code(key: SecretBytes, _ message: SecretBytes) -> SHA256Digest {
        key.withUnsafeBytes { key in message.withUnsafeBytes { code(key: key, $0) } }
    }
}
