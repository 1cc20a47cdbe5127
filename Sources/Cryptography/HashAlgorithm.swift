/// A hash function chosen at run time.
public enum HashAlgorithm: String, Sendable, CaseIterable {
    case md5, sha1, sha224, sha256, sha384, sha512

    /// Length of the digest.
    public var digestBytes: Int {
        switch self {
        case .md5: MD5.digestBytes
        case .sha1: SHA1.digestBytes
        case .sha224: SHA224.digestBytes
        case .sha256: SHA256.digestBytes
        case .sha384: SHA384.digestBytes
        case .sha512: SHA512.digestBytes
        }
    }

    /// The digest of one message.
    public func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }

    /// The digest of one message.
    public func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = IncrementalHash(self)
        hash.update(bytes)
        return hash.finish()
    }
}

/// An incremental hash whose function is chosen at run time. A value: copies continue independently.
public struct IncrementalHash: Sendable {
    /// The function in use.
    public let algorithm: HashAlgorithm
    private var state: any BlockHash

    /// Ready for the first message.
    public init(_ algorithm: HashAlgorithm) {
        self.algorithm = algorithm
        state =
            switch algorithm {
            case .md5: MD5()
            case .sha1: SHA1()
            case .sha224: SHA224()
            case .sha256: SHA256()
            case .sha384: SHA384()
            case .sha512: SHA512()
            }
    }

    /// Continues the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bytes) }

    /// Continues the message.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { state.update($0) } }

    /// The digest of everything since the last finish; ready for another message.
    public mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.digestBytes)
        digest.withUnsafeMutableBytes { state.finish(into: $0) }
        return digest
    }
}
