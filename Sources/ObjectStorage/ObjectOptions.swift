/// How a writer wants an object encrypted.
public enum EncryptionRequest: Sendable, Hashable {
    /// As the bucket says.
    case bucketDefault
    /// Under the account's default key.
    case managed
    /// Under a KMS key.
    case kms(KMSRequest)

    /// Under a KMS key named by id, ARN or alias; `nil` is the key `aws/s3`.
    public static func kms(keyID: String?) -> EncryptionRequest { .kms(KMSRequest(keyID: keyID)) }
}

/// What a writer says about encryption under a KMS key.
public struct KMSRequest: Sendable, Hashable {
    /// The key by id, ARN or alias; `nil` is the bucket's default key, else `aws/s3`.
    public var keyID: String?
    /// Whether two layers were asked for.
    public var isDoubleLayer: Bool
    /// Whether to use a bucket key; as the bucket says when `nil`.
    public var usesBucketKey: Bool?
    /// The writer's own pairs of the encryption context.
    public var context: [String: String]

    /// A request; what is left out takes S3's defaults.
    public init(
        keyID: String?, isDoubleLayer: Bool = false, usesBucketKey: Bool? = nil, context: [String: String] = [:]
    ) {
        self.keyID = keyID
        self.isDoubleLayer = isDoubleLayer
        self.usesBucketKey = usesBucketKey
        self.context = context
    }
}

/// Everything a writer may say about a new object besides its bytes.
public struct ObjectOptions: Sendable, Hashable {
    /// Content type, user metadata and the like.
    public var metadata: ObjectMetadata
    /// At most ten tags.
    public var tags: [ObjectTag]
    /// The storage class: kept and shown, of no effect.
    public var storageClass: String
    /// Which key protects the object.
    public var encryption: EncryptionRequest
    /// The writer's account; the bucket's owner when `nil`.
    public var owner: String?

    /// What is left out takes S3's defaults.
    public init(
        metadata: ObjectMetadata = ObjectMetadata(), tags: [ObjectTag] = [], storageClass: String = "STANDARD",
        encryption: EncryptionRequest = .bucketDefault, owner: String? = nil
    ) {
        self.metadata = metadata
        self.tags = tags
        self.storageClass = storageClass
        self.encryption = encryption
        self.owner = owner
    }
}

/// What the client says the bytes are; a write that does not match is refused and leaves nothing.
public struct ContentExpectation: Sendable, Hashable {
    /// The MD5 from `Content-MD5`.
    public var md5: [UInt8]?
    /// Base64 values by algorithm; each algorithm must have been asked for when the write began.
    public var checksums: [ChecksumAlgorithm: String]
    /// The number of bytes.
    public var byteCount: Int64?

    /// Nothing expected unless given.
    public init(md5: [UInt8]? = nil, checksums: [ChecksumAlgorithm: String] = [:], byteCount: Int64? = nil) {
        self.md5 = md5
        self.checksums = checksums
        self.byteCount = byteCount
    }

    func check(_ digests: ContentDigests, resource: String) throws(ObjectStorageError) {
        if let byteCount, byteCount != digests.byteCount {
            throw ObjectStorageError(
                code: "IncompleteBody",
                message: "You did not provide the number of bytes specified by the Content-Length HTTP header: "
                    + "\(digests.byteCount) of \(byteCount) arrived.",
                resource: resource)
        }
        if let md5, md5 != digests.md5 {
            throw ObjectStorageError(
                code: "BadDigest", message: "The Content-MD5 you specified did not match what we received.",
                resource: resource, details: ["CalculatedDigest": digests.etag])
        }
        for (algorithm, value) in checksums where digests.base64(algorithm) != value {
            throw ObjectStorageError(
                code: "BadDigest",
                message: "The \(algorithm.rawValue) you specified did not match the calculated checksum.",
                resource: resource)
        }
    }
}

extension ContentExpectation {
    /// Throws `BadDigest` or `IncompleteBody` unless `bytes` are what is expected.
    public func check(_ bytes: [UInt8]) throws(ObjectStorageError) {
        var hasher = ContentHasher(Set(checksums.keys))
        bytes.withUnsafeBytes { hasher.update($0) }
        try check(hasher.finish(), resource: "")
    }
}
