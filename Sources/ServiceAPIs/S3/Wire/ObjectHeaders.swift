import AWSProtocol
import Foundation
import HTTPTypes
import ObjectStorage

/// What the headers of a write say about the new object.
enum ObjectHeaders {
    private static let userMetadataBytesMax = 2048
    private static let userPrefix = "x-amz-meta-"

    /// Everything a PUT or a new upload says. Throws `InvalidRequest`, `InvalidTag`, `MetadataTooLarge`,
    /// `NotImplemented`.
    static func options(_ request: S3Request) throws(AWSError) -> ObjectOptions {
        try requirePrivate(request)
        try refuseLocks(request)
        return ObjectOptions(
            metadata: try metadata(request), tags: try Tags.header(request),
            storageClass: try storageClass(request) ?? "STANDARD", encryption: try encryption(request),
            owner: request.account)
    }

    static func metadata(_ request: S3Request) throws(AWSError) -> ObjectMetadata {
        var metadata = ObjectMetadata(contentType: request.header("content-type"))
        metadata.cacheControl = request.header("cache-control")
        metadata.contentDisposition = request.header("content-disposition")
        metadata.contentEncoding = contentEncoding(request.header("content-encoding"))
        metadata.contentLanguage = request.header("content-language")
        metadata.expires = request.header("expires")
        metadata.websiteRedirect = request.header("x-amz-website-redirect-location")
        var bytes = 0
        for field in request.http.headers {
            let name = field.name.canonicalName
            guard name.hasPrefix(userPrefix) else { continue }
            let short = String(name.dropFirst(userPrefix.count))
            metadata.user[short] = metadata.user[short].map { "\($0),\(field.value)" } ?? field.value
            bytes += short.utf8.count + field.value.utf8.count
        }
        guard bytes <= userMetadataBytesMax else {
            throw AWSError(
                "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
                fields: [("Size", String(bytes)), ("MaxSizeAllowed", String(userMetadataBytesMax))])
        }
        return metadata
    }

    /// Drops the transport's `aws-chunked` and keeps what else encodes the content.
    private static func contentEncoding(_ value: String?) -> String? {
        guard let value else { return nil }
        let kept = value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && $0.lowercased() != "aws-chunked" }
        return kept.isEmpty ? nil : kept.joined(separator: ",")
    }

    private static let storageClasses: Set<String> = [
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR",
        "DEEP_ARCHIVE",
    ]

    static func storageClass(_ request: S3Request) throws(AWSError) -> String? {
        guard let name = request.header("x-amz-storage-class") else { return nil }
        guard storageClasses.contains(name) else {
            throw AWSError(
                "InvalidStorageClass", "The storage class you specified is not valid",
                fields: [("StorageClassRequested", name)])
        }
        return name
    }

    /// Which key the headers ask for.
    static func encryption(_ request: S3Request) throws(AWSError) -> EncryptionRequest {
        guard request.header("x-amz-server-side-encryption-customer-algorithm") == nil else {
            throw S3Error.notImplemented(
                "Customer-provided keys (SSE-C) are not supported; use aws:kms with a key of your own.")
        }
        let prefix = "x-amz-server-side-encryption"
        let keyID = request.header("\(prefix)-aws-kms-key-id")
        let pairs = request.header("\(prefix)-context")
        let bucketKey = request.header("\(prefix)-bucket-key-enabled")
        switch request.header(prefix) {
        case nil where keyID == nil && pairs == nil: return .bucketDefault
        case "AES256" where keyID == nil && pairs == nil: return .managed
        case let name? where name == "aws:kms" || name == "aws:kms:dsse":
            return .kms(
                KMSRequest(
                    keyID: keyID, isDoubleLayer: name == "aws:kms:dsse",
                    usesBucketKey: bucketKey.map { $0.lowercased() == "true" }, context: try context(pairs)))
        case nil, "AES256":
            throw S3Error.invalidArgument(
                "A KMS key id, an encryption context and a bucket key go with \(prefix): aws:kms.",
                name: "\(prefix)-aws-kms-key-id", value: keyID ?? "")
        case let other?:
            throw S3Error.invalidArgument(
                "The encryption method specified is not supported",
                name: "x-amz-server-side-encryption", value: other)
        }
    }

    /// The pairs of an encryption context header: base64 of a JSON object of strings.
    private static func context(_ header: String?) throws(AWSError) -> [String: String] {
        guard let header else { return [:] }
        let name = "x-amz-server-side-encryption-context"
        guard header.utf8.count <= 8192, let bytes = Data(base64Encoded: header),
            let pairs = try? JSONDecoder().decode([String: String].self, from: bytes)
        else {
            throw S3Error.invalidArgument(
                "The header '\(name)' shall be Base64-encoded UTF-8 string holding JSON with the encryption context "
                    + "key-value pairs", name: name, value: header)
        }
        guard pairs[KMSEncryption.arnName] == nil else {
            throw S3Error.invalidArgument(
                "The pair \(KMSEncryption.arnName) of the encryption context is set by the service.", name: name,
                value: header)
        }
        return pairs
    }

    /// Refuses grants to others: buckets are their owner's only, as S3's default object ownership has it.
    static func requirePrivate(_ request: S3Request) throws(AWSError) {
        let harmless: Set<String> = ["private", "bucket-owner-full-control", "bucket-owner-read"]
        let canned = request.header("x-amz-acl")
        let grants = request.http.headers.contains { $0.name.canonicalName.hasPrefix("x-amz-grant-") }
        guard canned.map(harmless.contains) ?? true, !grants else {
            throw AWSError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        }
    }

    private static func refuseLocks(_ request: S3Request) throws(AWSError) {
        let names = ["x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"]
        guard names.allSatisfy({ request.header($0) == nil }) else {
            throw S3Error.notImplemented(
                "Object Lock is not supported; pin the artifact's version in the store instead.")
        }
    }
}

extension ServiceResponse {
    /// Adds the headers that name an object's encryption.
    ///
    /// - Parameter withContext: repeats the encryption context, as answers to writes do.
    mutating func setEncryption(_ encryption: ObjectEncryption, withContext: Bool = false) {
        let prefix = "x-amz-server-side-encryption"
        switch encryption {
        case .managed: setHeader(prefix, "AES256")
        case .kms(let kms):
            setHeader(prefix, kms.isDoubleLayer ? "aws:kms:dsse" : "aws:kms")
            setHeader("\(prefix)-aws-kms-key-id", kms.keyARN)
            if kms.usesBucketKey { setHeader("\(prefix)-bucket-key-enabled", "true") }
            guard withContext, !kms.context.isEmpty else { return }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // A dictionary of strings always encodes.
            if let text = try? encoder.encode(kms.context) {
                setHeader("\(prefix)-context", text.base64EncodedString())
            }
        }
    }

    /// Adds a header when there is a value.
    mutating func setHeader(_ name: String, ifPresent value: String?) {
        if let value { setHeader(name, value) }
    }

    /// Adds what a reader learns about an object besides its bytes.
    mutating func describe(_ object: StoredObject) {
        let metadata = object.metadata
        setHeader("ETag", "\"\(object.etag)\"")
        setHeader("Last-Modified", S3Date.http(object.lastModified))
        setHeader("Accept-Ranges", "bytes")
        setHeader("Content-Type", metadata.contentType ?? "binary/octet-stream")
        setHeader("Cache-Control", ifPresent: metadata.cacheControl)
        setHeader("Content-Disposition", ifPresent: metadata.contentDisposition)
        setHeader("Content-Encoding", ifPresent: metadata.contentEncoding)
        setHeader("Content-Language", ifPresent: metadata.contentLanguage)
        setHeader("Expires", ifPresent: metadata.expires)
        setHeader("x-amz-website-redirect-location", ifPresent: metadata.websiteRedirect)
        setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        if object.storageClass != "STANDARD" { setHeader("x-amz-storage-class", object.storageClass) }
        if !object.tags.isEmpty { setHeader("x-amz-tagging-count", String(object.tags.count)) }
        for (name, value) in metadata.user { setHeader("x-amz-meta-\(name)", value) }
        setEncryption(object.encryption)
    }
}
