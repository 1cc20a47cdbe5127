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
        if let authorization = request.headers.text("authorization") {
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
        if let authorization = request.headers.text("authorization") {
            guard authorization.hasPrefix("AWS4-HMAC-SHA256 ") else {
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
        let parts = try AuthorizationParts(authorization, after: algorithm.utf8.count)
        let timestamp: String
        let signedAt: Date
        if let sent = request.headers.text("x-amz-date") {
            guard let time = AWSTime.parseBasic(sent) else {
                throw .malformed("X-Amz-Date must be in the form yyyyMMddTHHmmssZ.")
            }
            (timestamp, signedAt) = (sent, time)
        } else if let sent = request.headers[.date], let time = AWSTime.parseHTTP(sent) ?? AWSTime.parseBasic(sent) {
            (timestamp, signedAt) = (AWSTime.basic(time), time)
        } else {
            throw .malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        }
        let (accessKeyID, scope) = try credential(parts.credential, timestamp: timestamp)
        return SigningClaim(
            place: .header, accessKeyID: accessKeyID, scope: scope,
            signedHeaders: headerNames(parts.signedHeaders), signature: parts.signature,
            timestamp: timestamp, signedAt: signedAt, expiresSeconds: nil,
            sessionToken: request.headers.text("x-amz-security-token"))
    }

    private static func presigned(
        _ items: [(name: String, value: String)]
    ) throws(AuthenticationFailure) -> SigningClaim {
        func required(_ name: String) throws(AuthenticationFailure) -> String {
            guard let value = items.first(where: { $0.name == name })?.value, !value.isEmpty else {
                throw .malformedQuery(
                    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
                        + "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
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
        let (accessKeyID, scope): (String, CredentialScope)
        do {
            (accessKeyID, scope) = try credential(try required("X-Amz-Credential"), timestamp: timestamp)
        } catch .malformed {
            throw .malformedQuery(
                "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                    + "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
        }
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
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5, parts[parts.count - 1].elementsEqual("aws4_request".utf8) else {
            throw .malformed("Credential must have the form AccessKeyId/yyyyMMdd/region/service/aws4_request.")
        }
        func part(_ fromEnd: Int) -> String { String(Substring(parts[parts.count - fromEnd])) }
        let scope = CredentialScope(date: part(4), region: part(3), service: part(2))
        guard timestamp.hasPrefix(scope.date), scope.date.utf8.count == 8 else {
            throw .malformed(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
        }
        // An access key's ID may itself have slashes.
        return (String(text[..<text.utf8.index(before: parts[parts.count - 4].startIndex)]), scope)
    }

    private static func headerNames(_ list: String) -> [String] {
        list.utf8.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { name in
            name.contains { (0x41...0x5A).contains($0) || $0 >= 0x80 }
                ? Substring(name).lowercased() : String(Substring(name))
        }
    }
}

/// The parts of an `Authorization` header that SigV4 knows: `Credential=…, SignedHeaders=…, Signature=…`.
private struct AuthorizationParts {
    private(set) var credential = ""
    private(set) var signedHeaders = ""
    private(set) var signature = ""

    /// Reads the parts that follow the algorithm's name. Of a part that is there twice, the last counts.
    init(_ header: String, after algorithmBytes: Int) throws(AuthenticationFailure) {
        var header = header
        let isWhole = header.withUTF8 { bytes in
            var start = algorithmBytes
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: ",")) ?? bytes.count
                defer { start = end + 1 }
                if start == end { continue }
                let piece = Self.trimmed(UnsafeBufferPointer(rebasing: bytes[start..<end]))
                guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else { return false }
                let value = { String(decoding: piece[(equals + 1)...], as: UTF8.self) }
                let name = UnsafeBufferPointer(rebasing: piece[..<equals])
                if name.elementsEqual("Credential".utf8) { credential = value() }
                if name.elementsEqual("SignedHeaders".utf8) { signedHeaders = value() }
                if name.elementsEqual("Signature".utf8) { signature = value() }
            }
            return true
        }
        guard isWhole else {
            throw .malformed("Authorization header has a part without '=': give Name=Value parts.")
        }
        for (name, value) in [("Credential", credential), ("SignedHeaders", signedHeaders), ("Signature", signature)]
        where value.isEmpty {
            throw .malformed("Authorization header requires '\(name)' parameter.")
        }
    }

    private static func trimmed(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var piece = bytes[...]
        while let first = piece.first, first == 0x20 || first == 0x09 { piece.removeFirst() }
        while let last = piece.last, last == 0x20 || last == 0x09 { piece.removeLast() }
        return UnsafeBufferPointer(rebasing: piece)
    }
}
