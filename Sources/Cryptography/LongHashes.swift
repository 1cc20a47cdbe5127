import COpenSSL

/// SHA-224 (FIPS 180-4), incremental.
public struct SHA224: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 64
    /// Length of the digest.
    public static let digestBytes = 28

    private var context = SHA256_CTX()

    /// Ready for the first message.
    public init() { SHA224_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        SHA224_Update(&context, base, bytes.count)
    }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        SHA224_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        SHA224_Init(&context)
    }

    /// The digest of everything since the last finish; the hasher is ready for another message.
    public mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.digestBytes)
        digest.withUnsafeMutableBytes { finish(into: $0) }
        return digest
    }

    /// The digest of one message.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = Self()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest of one message.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }
}

/// SHA-384 (FIPS 180-4), incremental.
public struct SHA384: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 128
    /// Length of the digest.
    public static let digestBytes = 48

    private var context = SHA512_CTX()

    /// Ready for the first message.
    public init() { SHA384_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        SHA384_Update(&context, base, bytes.count)
    }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        SHA384_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        SHA384_Init(&context)
    }

    /// The digest of everything since the last finish; the hasher is ready for another message.
    public mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.digestBytes)
        digest.withUnsafeMutableBytes { finish(into: $0) }
        return digest
    }

    /// The digest of one message.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = Self()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest of one message.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }
}

/// SHA-512 (FIPS 180-4), incremental.
public struct SHA512: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 128
    /// Length of the digest.
    public static let digestBytes = 64

    private var context = SHA512_CTX()

    /// Ready for the first message.
    public init() { SHA512_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        SHA512_Update(&context, base, bytes.count)
    }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        SHA512_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        SHA512_Init(&context)
    }

    /// The digest of everything since the last finish; the hasher is ready for another message.
    public mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.digestBytes)
        digest.withUnsafeMutableBytes { finish(into: $0) }
        return digest
    }

    /// The digest of one message.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = Self()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest of one message.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }
}
