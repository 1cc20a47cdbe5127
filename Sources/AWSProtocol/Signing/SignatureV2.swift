import Cryptography
import HTTPTypes

/// Query authentication by signature version 2, which `aws s3 presign` and older tools still produce for S3
/// (S3 developer guide, "Signing and authenticating REST requests").
struct SignatureV2Claim: Sendable {
    var accessKeyID: String
    var expires: Int64
    var expiresText: String
    var signature: String
    var sessionToken: String?

    /// Sub-resources that belong to the signed resource.
    static let subresources: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
        "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
        "restore", "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId",
        "versioning", "versions", "website", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
    ]

    /// Reads the claim; `nil` when the query carries none.
    static func parse(_ request: ServiceRequest) throws(AuthenticationFailure) -> SignatureV2Claim? {
        let items = request.queryItems
        guard let accessKeyID = items.first(where: { $0.name == "AWSAccessKeyId" })?.value else { return nil }
        guard let signature = items.first(where: { $0.name == "Signature" })?.value,
            let expiresText = items.first(where: { $0.name == "Expires" })?.value
        else { throw .incompletePresigned }
        guard let expires = Int64(expiresText) else {
            throw .malformedQuery("Expires must be a number of seconds since 1970, not '\(expiresText.prefix(40))'.")
        }
        return SignatureV2Claim(
            accessKeyID: accessKeyID, expires: expires, expiresText: expiresText, signature: signature,
            sessionToken: items.first { $0.name == "x-amz-security-token" }?.value)
    }

    /// The strings a correct client may have signed: the path as sent, and with the bucket that the host may name.
    func stringsToSign(_ request: ServiceRequest) -> [String] {
        let bucket = request.authority.prefix { $0 != "." && $0 != ":" }
        return [request.path, "/\(bucket)\(request.path)"].map { stringToSign(request, path: $0) }
    }

    private func stringToSign(_ request: ServiceRequest, path: String) -> String {
        var amazonHeaders: [String: [String]] = [:]
        for field in request.headers where field.name.canonicalName.hasPrefix("x-amz-") {
            amazonHeaders[field.name.canonicalName, default: []].append(CanonicalRequest.collapse(field.value))
        }
        // What was a header when the URL was signed may be in its query.
        let items = request.queryItems
        for item in items
        where item.name.lowercased().hasPrefix("x-amz-") && amazonHeaders[item.name.lowercased()] == nil {
            amazonHeaders[item.name.lowercased()] = [CanonicalRequest.collapse(item.value)]
        }
        func header(_ name: String) -> String {
            request.header(name) ?? items.first { $0.name.lowercased() == name }?.value ?? ""
        }
        if let sessionToken { amazonHeaders["x-amz-security-token"] = [sessionToken] }
        let headerLines = amazonHeaders.sorted { $0.key < $1.key }
            .map { "\($0.key):\($0.value.joined(separator: ","))\n" }.joined()
        let resources = PercentCoding.pairs(request.query)
            .map { (name: PercentCoding.decode($0.name), value: PercentCoding.decode($0.value)) }
            .filter { Self.subresources.contains($0.name) }
            .sorted { $0.name < $1.name }
            .map { $0.value.isEmpty ? $0.name : "\($0.name)=\($0.value)" }
            .joined(separator: "&")
        return [
            request.method, header("content-md5"), header("content-type"), expiresText,
            headerLines + path + (resources.isEmpty ? "" : "?\(resources)"),
        ].joined(separator: "\n")
    }

    /// The base-64 signature of a string to sign.
    static func sign(_ stringToSign: String, secret: SecretBytes) -> String {
        Base64.encode(HMACSHA1.code(key: secret, Array(stringToSign.utf8)))
    }
}
