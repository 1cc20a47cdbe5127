public import Foundation
public import KeyHierarchy

/// Whether a bucket keeps old versions of its objects.
public enum VersioningState: String, Sendable, Hashable, Codable {
    /// Never enabled: every key has one version, called `null`.
    case off = ""
    /// Each write makes a new version.
    case enabled = "Enabled"
    /// Writes replace the version called `null`; versions made earlier stay.
    case suspended = "Suspended"
}

/// A bucket: a global name on this server, owned by one account in one region.
public struct Bucket: Sendable, Hashable {
    /// The bucket's name.
    public let name: String
    /// Who owns it and where it lives.
    public let scope: AccountRegion
    /// Whether old versions are kept.
    public let versioning: VersioningState
    /// When it was made.
    public let createdAt: Date
    /// How objects are encrypted whose writer does not say.
    public let encryption: ObjectEncryption
    /// Whether objects under KMS keys are bound to the bucket rather than to their own name, as S3 does with bucket keys.
    public let usesBucketKey: Bool

    /// `arn:aws:s3:::NAME`.
    public var arn: String { "arn:aws:s3:::\(name)" }
}

/// The rules for bucket names (S3 User Guide, "General purpose bucket naming rules").
public enum BucketName {
    /// Throws `InvalidBucketName` unless `name` has 3 to 63 letters, digits, dots and hyphens, begins and ends with a
    /// letter or digit, has no two adjacent dots and does not look like an IPv4 address.
    public static func validate(_ name: String) throws(ObjectStorageError) {
        guard isValid(name) else {
            throw ObjectStorageError(
                code: "InvalidBucketName",
                message: "The specified bucket is not valid: a name has 3 to 63 lower-case letters, digits, dots and "
                    + "hyphens and begins and ends with a letter or digit.",
                resource: name, details: ["BucketName": name])
        }
    }

    private static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), !name.contains("..") else { return false }
        let isAlphanumeric = { (byte: UInt8) in (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        guard let first = bytes.first, let last = bytes.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        guard bytes.allSatisfy({ isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E }) else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        return !(labels.count == 4 && labels.allSatisfy { UInt8($0) != nil })
    }
}

/// The rules for object keys.
enum ObjectKey {
    static let bytesMax = 1024

    static func validate(_ key: String) throws(ObjectStorageError) {
        guard !key.isEmpty else { throw .invalidArgument("An object key has at least one character.") }
        guard key.utf8.count <= bytesMax else {
            throw ObjectStorageError(
                code: "KeyTooLongError", message: "Your key is too long",
                details: ["Size": String(key.utf8.count), "MaxSizeAllowed": String(bytesMax)])
        }
    }
}
