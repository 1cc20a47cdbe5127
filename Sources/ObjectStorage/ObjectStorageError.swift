/// A refusal of the object namespace, named with the code that S3 uses for it.
///
/// `code` is one of Amazon S3's error codes (API Reference, "Error responses"); the S3 front turns it into a status.
/// `message` is safe to show to whoever asked.
public struct ObjectStorageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The S3 error code, such as `NoSuchBucket`.
    public let code: String
    /// What was wrong and what would be right.
    public let message: String
    /// The bucket, key or upload the refusal is about.
    public let resource: String
    /// Further elements of the error body, such as `BucketName` or `ETag`.
    public let details: [String: String]

    /// A refusal about `resource`.
    public init(code: String, message: String, resource: String = "", details: [String: String] = [:]) {
        self.code = code
        self.message = message
        self.resource = resource
        self.details = details
    }

    /// The code and the message.
    public var description: String { "\(code): \(message)" }
}

extension ObjectStorageError {
    static func noSuchBucket(_ name: String) -> Self {
        Self(
            code: "NoSuchBucket", message: "The specified bucket does not exist", resource: name,
            details: ["BucketName": name])
    }

    static func noSuchKey(_ key: String) -> Self {
        Self(
            code: "NoSuchKey", message: "The specified key does not exist.", resource: key, details: ["Key": key])
    }

    /// The key exists no longer: its newest version is the delete marker with this version id.
    static func deleted(_ key: String, marker: String) -> Self {
        Self(
            code: "NoSuchKey", message: "The specified key does not exist.", resource: key,
            details: ["Key": key, deleteMarkerDetail: marker])
    }

    static func noSuchVersion(_ key: String, _ version: String) -> Self {
        Self(
            code: "NoSuchVersion", message: "The specified version does not exist.", resource: key,
            details: ["Key": key, "VersionId": version])
    }

    /// What is no version id at all.
    public static func invalidVersion(_ version: String) -> Self {
        Self(
            code: "InvalidArgument", message: "Invalid version id specified",
            details: ["ArgumentName": "versionId", "ArgumentValue": version])
    }

    static func noSuchUpload(_ upload: String) -> Self {
        Self(
            code: "NoSuchUpload",
            message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
                + "aborted or completed.",
            resource: upload, details: ["UploadId": upload])
    }

    static func preconditionFailed(_ condition: String, _ key: String) -> Self {
        Self(
            code: "PreconditionFailed",
            message: "At least one of the pre-conditions you specified did not hold", resource: key,
            details: ["Condition": condition])
    }

    static func invalidArgument(_ message: String, _ resource: String = "") -> Self {
        Self(code: "InvalidArgument", message: message, resource: resource)
    }

    static func invalidRequest(_ message: String, _ resource: String = "") -> Self {
        Self(code: "InvalidRequest", message: message, resource: resource)
    }

    /// The name under which `details` carries the version id of the delete marker that hides a key; not part of the
    /// error body, but of the response headers.
    public static let deleteMarkerDetail = "x-amz-delete-marker-version"
}
