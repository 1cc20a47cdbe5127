public import Cryptography
public import Foundation
import HTTPTypes

/// Signs requests with Signature Version 4: what our own command line does, and what tests check the verifier with.
public struct RequestSigner: Sendable {
    private let accessKeyID: String
    private let secret: SecretBytes
    private let sessionToken: String?
    private let region: String
    private let service: ServiceName

    /// Makes a signer for one credential, region and service.
    public init(
        accessKeyID: String, secret: SecretBytes, sessionToken: String? = nil, region: String, service: ServiceName
    ) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.sessionToken = sessionToken
        self.region = region
        self.service = service
    }

    /// Adds date, token, payload hash and `Authorization` to a request's headers.
    /// - Parameters:
    ///   - request: the request, with its final path, query, authority and headers.
    ///   - payloadHash: hexadecimal SHA-256 of the body, or `UNSIGNED-PAYLOAD`.
    ///   - date: the time of signing.
    public func sign(_ request: inout ServiceRequest, payloadHash: String, date: Date) {
        let timestamp = AWSTime.basic(date)
        request.setHeader("x-amz-date", timestamp)
        request.setHeader("x-amz-content-sha256", payloadHash)
        if let sessionToken { request.setHeader("x-amz-security-token", sessionToken) }
        var names = Set(request.headers.map(\.name.canonicalName))
        names.subtract(["authorization", "expect", "transfer-encoding", "user-agent", "connection", "content-length"])
        names.insert("host")
        let signed = names.sorted()
        let key = SigningKey(secret: secret, scope: scope(timestamp))
        let signature = Self.signature(request, key, signed, timestamp, payloadHash, service)
        request.headers[.authorization] =
            "\(SigningClaim.algorithm) Credential=\(accessKeyID)/\(key.scope.text), "
            + "SignedHeaders=\(signed.joined(separator: ";")), Signature=\(signature)"
    }

    /// Adds a presigned request's parameters to its query; only `host` is signed.
    public func presign(_ request: inout ServiceRequest, expiresSeconds: Int, date: Date) {
        let timestamp = AWSTime.basic(date)
        let key = SigningKey(secret: secret, scope: scope(timestamp))
        var items = [
            "X-Amz-Algorithm=\(SigningClaim.algorithm)",
            "X-Amz-Credential=\(PercentCoding.encode("\(accessKeyID)/\(key.scope.text)"))",
            "X-Amz-Date=\(timestamp)", "X-Amz-Expires=\(expiresSeconds)", "X-Amz-SignedHeaders=host",
        ]
        if let sessionToken { items.append("X-Amz-Security-Token=\(PercentCoding.encode(sessionToken))") }
        request.query = ((request.query.isEmpty ? [] : [request.query]) + items).joined(separator: "&")
        let payload = service == .s3 ? PayloadHash.unsigned : PayloadHash.ofNothing
        request.query +=
            "&X-Amz-Signature=\(Self.signature(request, key, ["host"], timestamp, payload, service))"
    }

    private func scope(_ timestamp: String) -> CredentialScope {
        CredentialScope(date: String(timestamp.prefix(8)), region: region, service: service.rawValue)
    }

    private static func signature(
        _ request: ServiceRequest, _ key: SigningKey, _ signed: [String], _ timestamp: String, _ payload: String,
        _ service: ServiceName
    ) -> String {
        // Every listed name is taken from the request itself, so its line exists.
        let lines = (try? CanonicalRequest.headerLines(request, signed: signed)) ?? []
        let canonical = CanonicalRequest.bytes(
            method: request.method, path: CanonicalRequest.paths(request.path, singleEncoding: service == .s3)[0],
            query: CanonicalRequest.queries(request.query)[0], headerLines: lines, signedHeaders: signed,
            payload: payload)
        return key.signature(of: key.stringToSign(timestamp: timestamp, canonicalRequest: canonical))
    }
}

extension ServiceRequest {
    /// Sets a header by its spelled-out name; a name that is not a legal token is ignored.
    public mutating func setHeader(_ name: String, _ value: String) {
        guard let name = HTTPField.Name(name) else { return }
        headers[name] = value
    }
}
