import AWSProtocol
import HTTPTypes

extension ServiceRequest {
    /// The parameters of the signature itself, and checksums: who signs a URL does not know the body that will come.
    private static let unhoisted = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
        "x-amz-security-token", "x-amz-content-sha256", "x-amz-user-agent", "x-amz-checksum-", "x-amz-sdk-checksum-",
    ]

    /// What a presigned write may depend on.
    private static let conditions: Set<String> = ["if-match", "if-none-match"]

    /// The request with the headers that a presigned URL carries in its query, as SDKs write metadata, encryption and the like
    /// there. The query is covered by the signature; a header that is sent as well wins.
    func withPresignedHeaders() -> ServiceRequest {
        guard query.contains("Signature=") else { return self }
        var request = self
        for (name, value) in queryItems {
            let name = name.lowercased()
            guard name.hasPrefix("x-amz-") || Self.conditions.contains(name),
                !Self.unhoisted.contains(where: name.hasPrefix),
                let field = HTTPField.Name(name), headers[field] == nil
            else { continue }
            request.headers.append(HTTPField(name: field, value: value))
        }
        return request
    }
}
