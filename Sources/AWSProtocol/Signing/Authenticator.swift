public import AccessControl
import Cryptography
import Foundation
import HTTPTypes

/// Where the authenticator finds the secret that belongs to an access key.
public protocol CredentialSource: Sendable {
    /// The credential of an access key, `nil` when there is no such key.
    /// - Throws: ``SessionTokenError`` for session credentials that cannot be believed; infrastructure errors.
    func credential(_ accessKeyID: String, sessionToken: String?) async throws -> Credential?
}

extension AccessControl: CredentialSource {}

/// Verifies who signed a request (Signature Version 4; Version 2 for S3 query authentication).
public struct Authenticator: Sendable {
    /// How far a client's clock may be from ours, in seconds.
    public static let skewSecondsMax: Double = 15 * 60

    private let credentials: any CredentialSource
    private let bodyBytesMax: Int
    private let acceptsSignatureV2: Bool
    private let signingKeys = SigningKeyCache()

    /// Makes an authenticator.
    /// - Parameters:
    ///   - credentials: finds secrets.
    ///   - bodyBytesMax: the largest body read into memory, for services whose requests are documents.
    ///   - acceptsSignatureV2: whether S3 `GET`, `HEAD` and `PUT` may use Version 2 query authentication.
    public init(credentials: any CredentialSource, bodyBytesMax: Int = 16 << 20, acceptsSignatureV2: Bool = true) {
        self.credentials = credentials
        self.bodyBytesMax = bodyBytesMax
        self.acceptsSignatureV2 = acceptsSignatureV2
    }

    /// Verifies a request's signature.
    ///
    /// Bodies of S3 and of Coffer's own interface stay streams: they are decoded and checked while they are read, and reading
    /// throws ``AWSError`` when they are not what was signed. Other bodies are read and checked here.
    /// - Parameters:
    ///   - service: the service the request was routed to.
    ///   - dialect: how errors are named; the service's own unless given.
    ///   - allowAnonymous: whether a request without any credentials passes, with no principal.
    /// - Returns: the request with its principal, its region and a body that checks itself.
    public func verify(
        _ request: ServiceRequest, service: ServiceName, dialect: Dialect? = nil, allowAnonymous: Bool = false
    ) async throws(AWSError) -> ServiceRequest {
        let dialect = dialect ?? service.dialect
        do {
            return try await check(request, service, dialect, allowAnonymous)
        } catch let failure as AuthenticationFailure {
            throw failure.error(in: dialect)
        } catch let error as AWSError {
            throw error
        } catch SessionTokenError.expired {
            throw AuthenticationFailure.expiredSession.error(in: dialect)
        } catch is SessionTokenError {
            throw AuthenticationFailure.invalidToken.error(in: dialect)
        } catch {
            throw AWSError.internalFailure(in: dialect)
        }
    }

    private func check(
        _ request: ServiceRequest, _ service: ServiceName, _ dialect: Dialect, _ allowAnonymous: Bool
    ) async throws -> ServiceRequest {
        if let claim = try SigningClaim.parse(request) {
            return try await checkV4(request, claim, service, dialect)
        }
        if service == .s3, acceptsSignatureV2, let claim = try SignatureV2Claim.parse(request) {
            return try await checkV2(request, claim)
        }
        guard allowAnonymous else { throw AuthenticationFailure.noCredentials }
        return request
    }

    // MARK: Version 4

    private func checkV4(
        _ request: ServiceRequest, _ claim: SigningClaim, _ service: ServiceName, _ dialect: Dialect
    ) async throws -> ServiceRequest {
        try Self.checkScope(claim, service)
        try Self.checkTime(claim, request.receivedAt)
        try Self.checkCoverage(claim, request, service)
        guard let credential = try await credentials.credential(claim.accessKeyID, sessionToken: claim.sessionToken)
        else {
            throw AuthenticationFailure.unknownKey(accessKeyID: claim.accessKeyID)
        }
        var verified = request
        let streams = service == .s3 || service == .coffer
        let payload: String
        // A body that was hashed here needs no second look.
        var isChecked = false
        if let sent = Self.sentPayloadHash(request, claim), streams || PayloadHash.isDigest(sent) {
            payload = sent
        } else if service == .s3 {
            guard claim.place == .query else { throw AuthenticationFailure.missingPayloadHash }
            payload = PayloadHash.unsigned
        } else {
            // The other services never leave a body out of the signature.
            let (body, digest) = try await request.body.gathered(upTo: bodyBytesMax)
            verified.body = body
            payload = digest.hex
            isChecked = true
        }
        let key = signingKeys.key(claim.accessKeyID, secret: credential.secret, scope: claim.scope)
        try Self.checkSignature(request, claim, key, payload: payload, singleEncoding: service == .s3)
        if streams {
            verified.body = try checkedBody(verified.body, request, claim, key, payload: payload, dialect)
        } else if !isChecked {
            let (body, digest) = try await request.body.gathered(upTo: bodyBytesMax)
            guard digest.hex == payload.lowercased() else {
                throw AuthenticationFailure.payloadMismatch(claimed: payload.lowercased(), computed: digest.hex)
            }
            verified.body = body
        }
        verified.principal = credential.principal
        verified.region = claim.scope.region
        return verified
    }

    private static func checkScope(_ claim: SigningClaim, _ service: ServiceName) throws(AuthenticationFailure) {
        guard claim.scope.service == service.rawValue else {
            throw .wrongService(expected: service.rawValue, got: claim.scope.service)
        }
    }

    private static func checkTime(_ claim: SigningClaim, _ now: Date) throws(AuthenticationFailure) {
        if claim.place == .query, let expires = claim.expiresSeconds {
            let end = claim.signedAt.addingTimeInterval(TimeInterval(expires))
            guard now <= end else {
                throw .presignedExpired(
                    expired: AWSTime.iso8601(end, milliseconds: false),
                    server: AWSTime.iso8601(now, milliseconds: false), seconds: expires)
            }
            guard claim.signedAt <= now.addingTimeInterval(skewSecondsMax) else {
                throw .presignedTooEarly(signed: claim.timestamp, server: AWSTime.basic(now))
            }
            return
        }
        let difference = claim.signedAt.timeIntervalSince(now)
        guard abs(difference) <= skewSecondsMax else {
            let bound = now.addingTimeInterval(difference < 0 ? -skewSecondsMax : skewSecondsMax)
            throw .skewed(signed: claim.timestamp, server: AWSTime.basic(bound), early: difference > 0)
        }
    }

    private static func checkCoverage(
        _ claim: SigningClaim, _ request: ServiceRequest, _ service: ServiceName
    ) throws(AuthenticationFailure) {
        guard claim.signedHeaders.contains("host") else { throw .unsignedHeaders(["host"]) }
        guard service == .s3 || service == .coffer else { return }
        let unsigned = request.headers.map(\.name.canonicalName)
            .filter { $0.hasPrefix("x-amz-") && !claim.signedHeaders.contains($0) }
            // A URL that was signed ahead says itself that it covers no payload.
            .filter { claim.place != .query || $0 != "x-amz-content-sha256" }
        guard unsigned.isEmpty else { throw .unsignedHeaders(Array(Set(unsigned)).sorted()) }
    }

    private static func sentPayloadHash(_ request: ServiceRequest, _ claim: SigningClaim) -> String? {
        let name = "x-amz-content-sha256"
        if claim.place == .header || claim.signedHeaders.contains(name), let sent = request.headers.text(name) {
            return sent
        }
        return claim.place == .query ? request.queryValue("X-Amz-Content-Sha256") : nil
    }

    private static func checkSignature(
        _ request: ServiceRequest, _ claim: SigningClaim, _ key: SigningKey, payload: String, singleEncoding: Bool
    ) throws(AuthenticationFailure) {
        let names = claim.signedHeaders.sorted()
        let headerLines = try CanonicalRequest.headerLines(request, signed: names)
        var first: (canonical: [UInt8], toSign: [UInt8])?
        for path in CanonicalRequest.paths(request.path, singleEncoding: singleEncoding) {
            for query in CanonicalRequest.queries(request.query) {
                let canonical = CanonicalRequest.bytes(
                    method: request.method, path: path, query: query, headerLines: headerLines, signedHeaders: names,
                    payload: payload)
                let toSign = key.stringToSign(timestamp: claim.timestamp, canonicalRequest: canonical)
                if key.isValid(claim.signature, of: toSign) { return }
                if first == nil { first = (canonical, toSign) }
            }
        }
        throw .badSignature(
            canonicalRequest: String(decoding: first?.canonical ?? [], as: UTF8.self),
            stringToSign: String(decoding: first?.toSign ?? [], as: UTF8.self),
            accessKeyID: claim.accessKeyID, provided: claim.signature)
    }

    private func checkedBody(
        _ body: RequestBody, _ request: ServiceRequest, _ claim: SigningClaim, _ key: SigningKey, payload: String,
        _ dialect: Dialect
    ) throws -> RequestBody {
        switch payload {
        case PayloadHash.unsigned: return body
        case PayloadHash.streamingUnsignedTrailer:
            return try chunked(body, request, signing: nil, trailer: true)
        case PayloadHash.streamingSigned, PayloadHash.streamingSignedTrailer:
            let signing = ChunkedDecoder.Signing(key: key, timestamp: claim.timestamp, previous: claim.signature)
            return try chunked(
                body, request, signing: signing, trailer: payload == PayloadHash.streamingSignedTrailer)
        case let text where text.hasPrefix("STREAMING-AWS4-ECDSA"):
            throw AuthenticationFailure.notSupported(
                "A header you provided implies functionality that is not implemented: \(text); use HMAC signatures.")
        case let text where PayloadHash.isDigest(text):
            return RequestBody(
                stream: HashedPayload(base: body, claimed: text.lowercased(), dialect: dialect),
                contentLength: body.contentLength)
        default: throw AuthenticationFailure.badPayloadHash(payload)
        }
    }

    private func chunked(
        _ body: RequestBody, _ request: ServiceRequest, signing: ChunkedDecoder.Signing?, trailer: Bool
    ) throws -> RequestBody {
        var expected: Int64?
        if let text = request.header("x-amz-decoded-content-length") {
            guard let length = Int64(text), length >= 0 else {
                throw AWSError("InvalidArgument", "x-amz-decoded-content-length must be a number of bytes.")
            }
            expected = length
        } else if signing != nil {
            throw AWSError("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.")
        }
        let declared = (request.header("x-amz-trailer") ?? "").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        let trailers = BodyTrailers()
        let length = expected
        return RequestBody(
            stream: ChunkedPayload(
                base: body,
                makeDecoder: {
                    ChunkedDecoder(
                        signing: signing, expectedBytes: length, declaredTrailers: declared, expectsTrailer: trailer)
                }, trailers: trailers),
            contentLength: expected, trailers: trailers)
    }

    // MARK: Version 2

    private func checkV2(_ request: ServiceRequest, _ claim: SignatureV2Claim) async throws -> ServiceRequest {
        guard ["GET", "HEAD", "PUT"].contains(request.method) else {
            throw AuthenticationFailure.unsupportedScheme
        }
        let end = Date(timeIntervalSince1970: TimeInterval(claim.expires))
        guard request.receivedAt <= end else {
            throw AuthenticationFailure.presignedExpired(
                expired: AWSTime.iso8601(end, milliseconds: false),
                server: AWSTime.iso8601(request.receivedAt, milliseconds: false), seconds: nil)
        }
        guard let credential = try await credentials.credential(claim.accessKeyID, sessionToken: claim.sessionToken)
        else {
            throw AuthenticationFailure.unknownKey(accessKeyID: claim.accessKeyID)
        }
        let candidates = claim.stringsToSign(request)
        let matches = candidates.contains { candidate in
            signaturesMatch(SignatureV2Claim.sign(candidate, secret: credential.secret), claim.signature)
        }
        guard matches else {
            throw AuthenticationFailure.badSignature(
                canonicalRequest: "", stringToSign: candidates.first ?? "", accessKeyID: claim.accessKeyID,
                provided: claim.signature)
        }
        var verified = request
        verified.principal = credential.principal
        return verified
    }
}
