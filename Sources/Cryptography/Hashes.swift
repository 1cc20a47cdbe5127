import COpenSSL

// libcrypto's low-level digests: a context is a plain value, so copying one forks the computation, and neither a provider
// fetch nor an allocation is paid per message. They run the same assembly as the EVP interface.

/// A hash function whose state is a value: copies continue independently, and a finished one is ready for another message.
public protocol BlockHash: Sendable {
    /// Bytes the compression function takes at a time.
    static var blockBytes: Int { get }
    /// Length of the digest.
    static var digestBytes: Int { get }
    /// Ready for the first message.
    init()
    /// Continues the message.
    mutating func update(_ bytes: UnsafeRawBufferPointer)
    /// Writes the digest into the first `digestBytes` bytes of `output`; ready for another message.
    mutating func finish(into output: UnsafeMutableRawBufferPointer)
}

extension BlockHash {
    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of everything since the last finish; ready for another message.
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

    /// Where libcrypto writes the digest.
    fileprivate static func room(_ output: UnsafeMutableRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        precondition(output.count >= digestBytes, "no room for the digest")
        return output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}

/// SHA-256 (FIPS 180-4), incremental. Its digests are values of their own, which neither allocate nor vary in length.
public struct SHA256: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 64
    /// Length of the digest.
    public static let digestBytes = 32
    private var context = SHA256_CTX()

    /// Ready for the first message.
    public init() { SHA256_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        SHA256_Update(&context, base, bytes.count)
    }

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        SHA256_Final(Self.room(output), &context)
        SHA256_Init(&context)
    }

    /// The digest of everything since the last finish; ready for another message.
    public mutating func finish() -> SHA256Digest {
        var digest = SHA256Digest()
        digest.withUnsafeMutableBytes { finish(into: $0) }
        return digest
    }

    /// The digest of one message.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var hash = Self()
        hash.update(bytes)
        return hash.finish()
    }

    /// The digest of one message.
    public static func digest(_ bytes: [UInt8]) -> SHA256Digest { bytes.withUnsafeBytes { digest($0) } }
}

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

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        SHA224_Final(Self.room(output), &context)
        SHA224_Init(&context)
    }
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

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        SHA384_Final(Self.room(output), &context)
        SHA384_Init(&context)
    }
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

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        SHA512_Final(Self.room(output), &context)
        SHA512_Init(&context)
    }
}

/// SHA-1 (FIPS 180-4), for protocols that require it. Not collision resistant.
public struct SHA1: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 64
    /// Length of the digest.
    public static let digestBytes = 20
    private var context = SHA_CTX()

    /// Ready for the first message.
    public init() { SHA1_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        SHA1_Update(&context, base, bytes.count)
    }

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        SHA1_Final(Self.room(output), &context)
        SHA1_Init(&context)
    }
}

/// MD5 (RFC 1321), for S3 entity tags and checksums. Not collision resistant.
public struct MD5: BlockHash {
    /// Bytes the compression function takes at a time.
    public static let blockBytes = 64
    /// Length of the digest.
    public static let digestBytes = 16
    private var context = MD5_CTX()

    /// Ready for the first message.
    public init() { MD5_Init(&context) }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        MD5_Update(&context, base, bytes.count)
    }

    /// Writes the digest; ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        MD5_Final(Self.room(output), &context)
        MD5_Init(&context)
    }
}
