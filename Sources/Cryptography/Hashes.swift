import COpenSSL

// libcrypto's low-level digests: a context is a plain value, so copying one forks the computation, and neither a provider
// fetch nor an allocation is paid per message. They run the same assembly as the EVP interface.

/// What the MAC construction needs of a hash function.
protocol BlockHash: Sendable {
    static var blockBytes: Int { get }
    static var digestBytes: Int { get }
    init()
    mutating func update(_ bytes: UnsafeRawBufferPointer)
    /// Writes the digest and starts over.
    mutating func finish(into output: UnsafeMutableRawBufferPointer)
}

/// SHA-256 (FIPS 180-4), incremental.
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

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        SHA256_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        SHA256_Init(&context)
    }

    /// The digest of everything since the last finish; the hasher is ready for another message.
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

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        SHA1_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        SHA1_Init(&context)
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

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Writes the digest into the first `digestBytes` bytes of `output`; the hasher is ready for another message.
    public mutating func finish(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.digestBytes, "no room for the digest")
        MD5_Final(output.baseAddress?.assumingMemoryBound(to: UInt8.self), &context)
        MD5_Init(&context)
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
