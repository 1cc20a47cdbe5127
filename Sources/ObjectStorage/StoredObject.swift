public import ArtifactStore
public import Foundation

/// What a client says about an object beside its bytes.
public struct ObjectMetadata: Sendable, Hashable, Codable {
    /// `Content-Type`; readers see `binary/octet-stream` when none was given.
    public var contentType: String?
    /// `Cache-Control`.
    public var cacheControl: String?
    /// `Content-Disposition`.
    public var contentDisposition: String?
    /// `Content-Encoding`, without the transport's `aws-chunked`.
    public var contentEncoding: String?
    /// `Content-Language`.
    public var contentLanguage: String?
    /// `Expires`, as sent.
    public var expires: String?
    /// `x-amz-website-redirect-location`.
    public var websiteRedirect: String?
    /// User metadata; names in lower case without `x-amz-meta-`.
    public var user: [String: String]

    /// Metadata with everything else absent.
    public init(contentType: String? = nil, user: [String: String] = [:]) {
        self.contentType = contentType
        self.user = user
    }
}

/// A name and a value attached to an object or a bucket.
public struct ObjectTag: Sendable, Hashable, Codable {
    /// The tag's name, at most 128 characters.
    public let key: String
    /// The tag's value, at most 256 characters.
    public let value: String

    /// A tag.
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// How an object is said to be encrypted. All bytes are encrypted at rest whatever this says; `kms` names the key.
public enum ObjectEncryption: Sendable, Hashable {
    /// Under the account's default key (`AES256` on the wire).
    case managed
    /// Under a KMS key (`aws:kms` on the wire).
    case kms(KMSEncryption)
}

/// How an object is encrypted under a KMS key.
public struct KMSEncryption: Sendable, Hashable {
    /// The key's ARN.
    public var keyARN: String
    /// Asked for as `aws:kms:dsse`. Every object has two layers, records under keys of their own and the list of these keys
    /// under the data key, so that this changes what is shown only.
    public var isDoubleLayer = false
    /// Whether the context names the bucket rather than the object, as S3 does with bucket keys.
    public var usesBucketKey = false
    /// The encryption context that binds the data key: the writer's pairs and `aws:s3:arn`. Empty for artifacts of pipelines,
    /// which are bound to their version.
    public var context: [String: String] = [:]

    /// Encryption under a key.
    public init(
        keyARN: String, isDoubleLayer: Bool = false, usesBucketKey: Bool = false, context: [String: String] = [:]
    ) {
        self.keyARN = keyARN
        self.isDoubleLayer = isDoubleLayer
        self.usesBucketKey = usesBucketKey
        self.context = context
    }

    /// The pair that S3 adds itself.
    public static let arnName = "aws:s3:arn"
}

/// Which bytes a reader of an object sees.
public enum ObjectPresentation: Int, Sendable, Hashable {
    /// The stored blob itself.
    case bytes = 0
    /// The stored tree, shown as a ZIP archive.
    case zip = 1
}

/// One version of one key: an object or a delete marker.
public struct StoredObject: Sendable, Hashable {
    /// The bucket's name.
    public let bucket: String
    /// The key.
    public let key: String
    /// The version id; `null` for versions written while versioning was off or suspended.
    public let versionID: String
    /// The state of versioning of the bucket when this was read.
    public let versioning: VersioningState
    /// The number of bytes a reader gets.
    public let size: Int64
    /// The entity tag, without quotes.
    public let etag: String
    /// When this version was written.
    public let lastModified: Date
    /// True for a marker that hides older versions.
    public let isDeleteMarker: Bool
    /// True for the newest version of the key.
    public let isLatest: Bool
    /// What the client said about the object.
    public let metadata: ObjectMetadata
    /// The object's tags.
    public let tags: [ObjectTag]
    /// The checksum that was verified or computed when the object was written.
    public let checksum: ObjectChecksum?
    /// How the object is encrypted.
    public let encryption: ObjectEncryption
    /// `STANDARD` unless the client chose another class, which changes nothing but is kept.
    public let storageClass: String
    /// The account that wrote it.
    public let owner: String
    /// The store version that holds the bytes. `nil` for delete markers, and for objects uploaded in parts until
    /// ``ObjectStorage/contentVersion(of:)`` joins them.
    public let content: VersionID?
    /// Which bytes of `content` a reader sees.
    public let presentation: ObjectPresentation
    /// The number of parts of an object uploaded in parts, 0 for others.
    public let partCount: Int

    /// The row's sequence number: identity of this version within the server.
    package let sequence: Int64

    /// The version id as S3 shows it: absent in buckets that never had versioning.
    public var shownVersionID: String? { versioning == .off ? nil : versionID }
}

/// One part of an object that was uploaded in parts.
public struct ObjectPart: Sendable, Hashable {
    /// 1 to 10,000.
    public let number: Int
    /// The part's place in the object.
    public let range: Range<Int64>
    /// The part's checksum (base64) under the object's algorithm, where known.
    public let checksum: String?
    /// The store version holding the bytes.
    let content: VersionID
    let presentation: ObjectPresentation
}

/// What must hold of the current version of a key for a write to happen (RFC 9110 §13.1, S3 "conditional writes").
public struct WriteConditions: Sendable, Hashable {
    /// The entity tag that the current version must have; `*` for any.
    public var ifMatch: String?
    /// `*`: there must be no current version. An entity tag: the current version must have another.
    public var ifNoneMatch: String?

    /// No condition unless given.
    public init(ifMatch: String? = nil, ifNoneMatch: String? = nil) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
    }

    /// Write whatever is there.
    public static let none = WriteConditions()
}
