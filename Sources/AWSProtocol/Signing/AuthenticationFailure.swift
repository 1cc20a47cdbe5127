/// Why a request was not believed. ``error(in:)`` is the table that gives each reason its code in each dialect.
enum AuthenticationFailure: Error, Sendable {
    case noCredentials
    case unsupportedScheme
    case unknownKey(accessKeyID: String)
    case badSignature(canonicalRequest: String, stringToSign: String, accessKeyID: String, provided: String)
    case malformed(String)
    case malformedQuery(String)
    case wrongService(expected: String, got: String)
    case unsignedHeaders([String])
    case missingSignedHeader(String)
    case expiredSession
    case invalidToken
    case skewed(signed: String, server: String, early: Bool)
    case presignedExpired(expired: String, server: String, seconds: Int?)
    case incompletePresigned
    case presignedTooEarly(signed: String, server: String)
    case missingPayloadHash
    case badPayloadHash(String)
    case payloadMismatch(claimed: String, computed: String)
    case notSupported(String)

    /// The error that the clients of a dialect expect for this failure.
    func error(in dialect: Dialect) -> AWSError {
        let text = message(in: dialect)
        switch dialect {
        case .restXML: return AWSError(s3Code, text, fields: s3Fields)
        case .query: return AWSError(queryCode, text)
        case .json, .restJSON: return AWSError(jsonCode, text)
        }
    }

    private var jsonCode: String {
        switch self {
        case .noCredentials: "MissingAuthenticationTokenException"
        case .unknownKey, .invalidToken: "UnrecognizedClientException"
        case .expiredSession: "ExpiredTokenException"
        case .malformed, .malformedQuery, .incompletePresigned, .unsupportedScheme, .missingSignedHeader:
            "IncompleteSignatureException"
        case .badSignature, .wrongService, .unsignedHeaders, .skewed, .presignedExpired, .presignedTooEarly,
            .missingPayloadHash, .badPayloadHash, .payloadMismatch, .notSupported:
            "InvalidSignatureException"
        }
    }

    private var queryCode: String {
        switch self {
        case .noCredentials: "MissingAuthenticationToken"
        case .unknownKey, .invalidToken: "InvalidClientTokenId"
        case .expiredSession: "ExpiredToken"
        case .malformed, .malformedQuery, .incompletePresigned, .unsupportedScheme, .missingSignedHeader:
            "IncompleteSignature"
        case .badSignature, .wrongService, .unsignedHeaders, .skewed, .presignedExpired, .presignedTooEarly,
            .missingPayloadHash, .badPayloadHash, .payloadMismatch, .notSupported:
            "SignatureDoesNotMatch"
        }
    }

    private var s3Code: String {
        switch self {
        case .noCredentials, .unsignedHeaders, .presignedExpired, .presignedTooEarly, .incompletePresigned:
            "AccessDenied"
        case .unsupportedScheme, .missingPayloadHash: "InvalidRequest"
        case .unknownKey: "InvalidAccessKeyId"
        case .invalidToken: "InvalidToken"
        case .expiredSession: "ExpiredToken"
        case .malformed, .wrongService: "AuthorizationHeaderMalformed"
        case .malformedQuery: "AuthorizationQueryParametersError"
        case .badSignature, .missingSignedHeader: "SignatureDoesNotMatch"
        case .skewed: "RequestTimeTooSkewed"
        case .badPayloadHash: "InvalidArgument"
        case .payloadMismatch: "XAmzContentSHA256Mismatch"
        case .notSupported: "NotImplemented"
        }
    }

    private var s3Fields: [(name: String, value: String)] {
        switch self {
        case .unknownKey(let accessKeyID): [("AWSAccessKeyId", accessKeyID)]
        case .badSignature(let canonicalRequest, let stringToSign, let accessKeyID, let provided):
            [
                ("AWSAccessKeyId", accessKeyID), ("StringToSign", stringToSign), ("SignatureProvided", provided),
                ("StringToSignBytes", Self.octets(stringToSign)),
            ] + Self.canonical(canonicalRequest)
        case .unsignedHeaders(let names): [("HeadersNotSigned", names.joined(separator: ", "))]
        case .skewed(let signed, let server, _):
            [("RequestTime", signed), ("ServerTime", server), ("MaxAllowedSkewMilliseconds", "900000")]
        case .presignedExpired(let expired, let server, let seconds):
            [("Expires", expired), ("ServerTime", server)] + (seconds.map { [("X-Amz-Expires", String($0))] } ?? [])
        case .payloadMismatch(let claimed, let computed):
            [("ClientComputedContentSHA256", claimed), ("S3ComputedContentSHA256", computed)]
        default: []
        }
    }

    /// The bytes of a text as Amazon shows them, so that a client's author finds what cannot be seen.
    private static func octets(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }

    /// Signature version 2 has no canonical request.
    private static func canonical(_ request: String) -> [(name: String, value: String)] {
        request.isEmpty ? [] : [("CanonicalRequest", request), ("CanonicalRequestBytes", octets(request))]
    }

    private func message(in dialect: Dialect) -> String {
        switch self {
        case .noCredentials:
            dialect == .restXML ? "Access Denied" : "Missing Authentication Token"
        case .unsupportedScheme:
            "The authorization mechanism you have provided is not supported. Please use \(SigningClaim.algorithm)."
        case .unknownKey:
            dialect == .restXML
                ? "The AWS Access Key Id you provided does not exist in our records."
                : "The security token included in the request is invalid."
        case .badSignature(let canonicalRequest, let stringToSign, _, _):
            Self.mismatchText(dialect, canonicalRequest, stringToSign)
        case .malformed(let text), .malformedQuery(let text): text
        case .wrongService(let expected, let got):
            "Credential should be scoped to correct service: '\(expected)', not '\(got)'."
        case .unsignedHeaders: "There were headers present in the request which were not signed"
        case .missingSignedHeader(let name):
            "The signature covers the header '\(name)', which the request does not carry."
        case .expiredSession:
            dialect == .restXML
                ? "The provided token has expired." : "The security token included in the request is expired"
        case .invalidToken:
            dialect == .restXML
                ? "The provided token is malformed or otherwise invalid."
                : "The security token included in the request is invalid."
        case .skewed(let signed, let server, let early):
            Self.skewText(dialect, signed: signed, server: server, early: early)
        case .presignedExpired: "Request has expired"
        case .incompletePresigned:
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        case .presignedTooEarly: "Request is not yet valid"
        case .missingPayloadHash: "Missing required header for this request: x-amz-content-sha256"
        case .badPayloadHash(let value):
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 "
                + "value, not '\(value.prefix(80))'."
        case .payloadMismatch:
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .notSupported(let what): what
        }
    }

    private static func mismatchText(_ dialect: Dialect, _ canonicalRequest: String, _ stringToSign: String) -> String {
        let start = "The request signature we calculated does not match the signature you provided. "
        if dialect == .restXML { return start + "Check your key and signing method." }
        return start
            + "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n"
            + "The Canonical String for this request should have been\n'\(canonicalRequest)'\n\n"
            + "The String-to-Sign should have been\n'\(stringToSign)'\n"
    }

    private static func skewText(_ dialect: Dialect, signed: String, server: String, early: Bool) -> String {
        if dialect == .restXML { return "The difference between the request time and the current time is too large." }
        return early
            ? "Signature not yet current: \(signed) is still later than \(server) (+ 15 min.)"
            : "Signature expired: \(signed) is now earlier than \(server) (- 15 min.)"
    }
}
