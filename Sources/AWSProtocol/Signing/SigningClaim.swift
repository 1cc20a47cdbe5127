import Foundation
import HTTPTypes

/// The credential scope of a SigV4 signature: `date/region/service/aws4_request`.
struct CredentialScope: Hashable, Sendable {
    var date: String
    var region: String
    var service: String

    var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

/// What a request says about its own signature, before anything is believed.
struct SigningClaim: Sendable {
    enum Place: Sendable { case header, query }

    var place: Place
    var accessKeyID: String
    var scope: CredentialScope
    /// Lower-case names, as listed.
    var signedHeaders: [String]
    var signature: String
    /// `yyyyMMdd'T'HHmmss'Z'`, as it goes into the string to sign.
    var timestamp: String
    /// The same as a time.
    var signedAt: Date
    /// How long a presigned request holds, in seconds.
    var expiresSeconds: Int?
    var sessionToken: String?

    static let algorithm = "AWS4-HMAC-SHA256"

    /// The service named by the credential scope, if there is a scope at all; nothing else is checked.
    static func scopeService(of request: ServiceRequest) -> String? {
        if let authorization = request.headers[.authorization] {
            guard let start = authorization.range(of: "Credential=")?.upperBound else { return nil }
            return service(ofCredential: authorization[start...].prefix { $0 != "," && $0 != " " })
        }
        guard request.query.contains("X-Amz-Credential=") else { return nil }
        return request.queryValue("X-Amz-Credential").flatMap { service(ofCredential: $0[...]) }
    }

    private static func service(ofCredential credential: Substring) -> String? {
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 5, parts.last == "aws4_request" else { return nil }
        return String(parts[parts.count - 2])
    }

    /// Reads the claim from the `Authorization` header or, failing that, from the query.
    /// - Returns: `nil` when the request carries no SigV4 claim at all.
    static func parse(_ request: ServiceRequest) throws(AuthenticationFailure) -> SigningClaim? {
        if let authorization = request.headers[.authorization] {
            guard authorization.hasPrefix(algorithm + " ") else {
                if authorization.hasPrefix("AWS4-") {
                    throw .malformed("Unsupported signing algorithm; use \(algorithm).")
                }
                throw .unsupportedScheme
            }
            return try header(authorization, request)
        }
        let items = request.queryItems
        guard items.contains(where: { $0.name == "X-Amz-Algorithm" || $0.name == "X-Amz-Signature" }) else {
            return nil
        }
        return try presigned(items)
    }

    private static func header(
        _ authorization: String, _ request: ServiceRequest
    ) throws(AuthenticationFailure) -> SigningClaim {
        var parts: [String: String] = [:]
        // On bytes: the parts are ASCII or wrong, and characters cost more than the signature.
        for piece in authorization.utf8.dropFirst(algorithm.utf8.count).split(separator: UInt8(ascii: ",")) {
            let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
            var pair = piece.drop(while: isBlank)
            while let last = pair.last, isBlank(last) { pair.removeLast() }
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else {
                throw .malformed("Authorization header has a part without '=': give Name=Value parts.")
            }
            parts[String(Substring(pair[..<equals]))] = String(Substring(pair[pair.index(after: equals)...]))
        }
        for name in ["Credential", "SignedHeaders", "Signature"] where (parts[name] ?? "").isEmpty {
            throw .malformed("Authorization header requires '\(name)' parameter.")
        }
        let timestamp: String
        let signedAt: Date
        if let sent = request.header("x-amz-date") {
            guard let time = AWSTime.parseBasic(sent) else {
                throw .malformed("X-Amz-Date must be in the form yyyyMMddTHHmmssZ.")
            }
            (timestamp, signedAt) = (sent, time)
        } else if let sent = request.headers[.date], let time = AWSTime.parseHTTP(sent) ?? AWSTime.parseBasic(sent) {
            (timestamp, signedAt) = (AWSTime.basic(time), time)
        } else {
            throw .malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        }
        let (accessKeyID, scope) = try credential(parts["Credential"] ?? "", timestamp: timestamp)
        return SigningClaim(
            place: .header, accessKeyID: accessKeyID, scope: scope,
            signedHeaders: headerNames(parts["SignedHeaders"] ?? ""), signature: parts["Signature"] ?? "",
            timestamp: timestamp, signedAt: signedAt, expiresSeconds: nil,
            sessionToken: request.header("x-amz-security-token"))
    }

    private static func presigned(
        _ items: [(name: String, value: String)]
    ) throws(AuthenticationFailure) -> SigningClaim {
        func required(_ name: String) throws(AuthenticationFailure) -> String {
            guard let value = items.first(where: { $0.name == name })?.value, !value.isEmpty else {
                throw .malformedQuery("Query-string authentication requires the parameter \(name).")
            }
            return value
        }
        guard try required("X-Amz-Algorithm") == algorithm else {
            throw .malformedQuery("X-Amz-Algorithm only supports \"\(algorithm)\".")
        }
        let timestamp = try required("X-Amz-Date")
        guard let signedAt = AWSTime.parseBasic(timestamp) else {
            throw .malformedQuery("X-Amz-Date must be in the form yyyyMMddTHHmmssZ.")
        }
        let (accessKeyID, scope) = try credential(try required("X-Amz-Credential"), timestamp: timestamp)
        guard let expires = Int(try required("X-Amz-Expires")), (1...604_800).contains(expires) else {
            throw .malformedQuery("X-Amz-Expires must be a number of seconds between 1 and 604800.")
        }
        return SigningClaim(
            place: .query, accessKeyID: accessKeyID, scope: scope,
            signedHeaders: headerNames(try required("X-Amz-SignedHeaders")),
            signature: try required("X-Amz-Signature"), timestamp: timestamp, signedAt: signedAt,
            expiresSeconds: expires, sessionToken: items.first { $0.name == "X-Amz-Security-Token" }?.value)
    }

    private static func credential(
        _ text: String, timestamp: String
    ) throws(AuthenticationFailure) -> (accessKeyID: String, scope: CredentialScope) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else {
            throw .malformed("Credential must have the form AccessKeyId/yyyyMMdd/region/service/aws4_request.")
        }
        let scope = CredentialScope(
            date: parts[parts.count - 4], region: parts[parts.count - 3], service: parts[parts.count - 2])
        guard timestamp.hasPrefix(scope.date), scope.date.utf8.count == 8 else {
            throw .malformed(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
        }
        return (parts[..<(parts.count - 4)].joined(separator: "/"), scope)
    }

    private static func headerNames(_ list: String) -> [String] {
        list.split(separator: ";", omittingEmptySubsequences: false).map { $0.lowercased() }
    }
}
