import AccessControl
import Cryptography
import Foundation
import HTTPTypes
import Testing

@testable import AWSProtocol

struct AuthenticatorTests {
    static let signer = RequestSigner(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secret: SecretBytes(copying: Array(FixedCredentials.secret.utf8)),
        region: "us-east-1", service: .s3)
    static let now = AWSTime.parseBasic("20130524T000000Z") ?? .distantPast

    static func signed(_ request: ServiceRequest, payload: String = PayloadHash.unsigned, at date: Date = now)
        -> ServiceRequest
    {
        var request = request
        signer.sign(&request, payloadHash: payload, date: date)
        return request
    }

    static func botocore(_ fixture: BotocoreFixture) -> ServiceRequest {
        makeRequest(
            fixture.method, fixture.query.isEmpty ? fixture.path : "\(fixture.path)?\(fixture.query)",
            headers: fixture.headers.map { ($0[0], $0[1]) }, body: Array(fixture.body.utf8), at: "20260102T030405Z")
    }

    @Test func theRecordingsAreThere() { #expect(BotocoreFixture.all.count == 14) }

    @Test(arguments: BotocoreFixture.all)
    func whatBotocoreSignsVerifies(fixture: BotocoreFixture) async throws {
        let request = Self.botocore(fixture)
        let service = ServiceName(rawValue: fixture.service)
        #expect(ServiceRouter.service(of: request) == service)
        let verified = try await authenticator.verify(request, service: service)
        #expect(verified.principal?.account == "123456789012")
        #expect(try await verified.body.collect(upTo: 1 << 20) == Array(fixture.body.utf8))
    }

    @Test(arguments: BotocoreFixture.all)
    func anotherMethodPathOrSecretDoesNotVerify(fixture: BotocoreFixture) async throws {
        var request = Self.botocore(fixture)
        request.path += "x"
        let error = try #require(await refusal(request, ServiceName(rawValue: fixture.service)))
        #expect(["SignatureDoesNotMatch", "InvalidSignatureException"].contains(error.code))
        var post = Self.botocore(fixture)
        post.method = post.method == "PUT" ? "GET" : "PUT"
        #expect(await refusal(post, ServiceName(rawValue: fixture.service)) != nil)
    }

    @Test func aPathOrQueryMayBeWrittenInSeveralWays() async throws {
        var request = Self.signed(makeRequest("GET", "/bucket/a%20b(c)?list-type=2&prefix=x%2Fy"))
        request.path = "/bucket/a%20b%28c%29"
        request.query = "prefix=x/y&list-type=2"
        #expect(await refusal(request, .s3) == nil)
    }

    @Test func aBodyThatIsNotTheSignedOneFailsAtItsEnd() async throws {
        let request = Self.signed(
            makeRequest("PUT", "/bucket/key", body: Array("other".utf8)),
            payload: SHA256.digest(Array("bytes".utf8)).description)
        let verified = try await authenticator.verify(request, service: .s3)
        await #expect {
            try await verified.body.collect(upTo: 100)
        } throws: { error in
            (error as? AWSError)?.code == "XAmzContentSHA256Mismatch"
        }
    }

    @Test func clocksMayDifferByAQuarterOfAnHour() async {
        for (minutes, passes) in [(14.0, true), (-14, true), (16, false), (-16, false)] {
            let request = Self.signed(makeRequest("GET", "/b"), at: Self.now.addingTimeInterval(minutes * 60))
            #expect(await refusal(request, .s3)?.code == (passes ? nil : "RequestTimeTooSkewed"))
        }
    }

    @Test func presignedRequestsEnd() async {
        var request = makeRequest("GET", "/b/k")
        Self.signer.presign(&request, expiresSeconds: 60, date: Self.now)
        #expect(await refusal(request, .s3) == nil)
        request.receivedAt = Self.now.addingTimeInterval(61)
        let error = await refusal(request, .s3)
        #expect(error?.code == "AccessDenied")
        #expect(error?.message == "Request has expired")
    }

    @Test func everyHeaderOfAmazonsMustBeSigned() async {
        var request = Self.signed(makeRequest("PUT", "/b/k"))
        request.setHeader("x-amz-acl", "public-read")
        let error = await refusal(request, .s3)
        #expect(error?.code == "AccessDenied")
        #expect(error?.fields.first?.value == "x-amz-acl")
    }

    static let anonymous = makeRequest("POST")
    static let unknownKey = makeRequest(
        "POST",
        headers: [
            ("x-amz-date", "20130524T000000Z"), ("x-amz-content-sha256", PayloadHash.ofNothing),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=AKIANOBODY/20130524/us-east-1/SERVICE/aws4_request, "
                    + "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00"
            ),
        ])

    static func changed(_ from: String, _ to: String) -> ServiceRequest {
        var request = unknownKey
        request.headers[.authorization] = request.headers[.authorization]?.replacing(from, with: to)
        return request
    }

    static func withToken(_ token: String) -> ServiceRequest {
        var request = changed(
            "host;x-amz-content-sha256;x-amz-date", "host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
        request.setHeader("x-amz-security-token", token)
        return request
    }

    /// Situation, request, code and status for JSON, Query and S3.
    static let table: [(String, ServiceRequest, [(String, Int)])] = [
        (
            "no credentials", anonymous,
            [("MissingAuthenticationTokenException", 400), ("MissingAuthenticationToken", 403), ("AccessDenied", 403)]
        ),
        (
            "unknown key", unknownKey,
            [("UnrecognizedClientException", 400), ("InvalidClientTokenId", 403), ("InvalidAccessKeyId", 403)]
        ),
        (
            "bad signature", changed("AKIANOBODY", "AKIAIOSFODNN7EXAMPLE"),
            [("InvalidSignatureException", 400), ("SignatureDoesNotMatch", 403), ("SignatureDoesNotMatch", 403)]
        ),
        (
            "malformed header", changed("SignedHeaders=", "Signed="),
            [
                ("IncompleteSignatureException", 400), ("IncompleteSignature", 400),
                ("AuthorizationHeaderMalformed", 400),
            ]
        ),
        (
            "expired session", withToken("expired"),
            [("ExpiredTokenException", 400), ("ExpiredToken", 403), ("ExpiredToken", 400)]
        ),
        (
            "wrong token", withToken("forged"),
            [("UnrecognizedClientException", 400), ("InvalidClientTokenId", 403), ("InvalidToken", 400)]
        ),
    ]

    @Test(arguments: table)
    func everyDialectHasItsOwnCode(situation: String, request: ServiceRequest, codes: [(String, Int)]) async throws {
        for (service, expected) in zip([ServiceName.codePipeline, .sts, .s3], codes) {
            var request = request
            request.headers[.authorization] = request.headers[.authorization]?
                .replacing("SERVICE", with: service.rawValue)
            let error = try #require(await refusal(request, service), "\(situation), \(service)")
            #expect(error.code == expected.0, "\(situation), \(service)")
            #expect(error.status(in: service.dialect) == expected.1, "\(situation), \(service)")
        }
    }

    @Test func unsignedChunksWithATrailerStreamThrough() async throws {
        var request = makeRequest(
            "PUT", "/bucket/key",
            headers: [
                ("Content-Encoding", "aws-chunked"), ("x-amz-decoded-content-length", "5"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ], body: Array("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n".utf8))
        Self.signer.sign(&request, payloadHash: PayloadHash.streamingUnsignedTrailer, date: Self.now)
        let verified = try await authenticator.verify(request, service: .s3)
        #expect(verified.body.contentLength == 5)
        #expect(try await verified.body.collect(upTo: 10) == Array("hello".utf8))
        #expect(verified.body.trailers?["X-Amz-Checksum-CRC32"] == "NhCmhg==")
    }

    @Test func modesThatAreNotKnownAreRefused() async {
        for (mode, code) in [
            ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"), ("nonsense", "InvalidArgument"),
            (PayloadHash.streamingSigned, "MissingContentLength"),
        ] {
            #expect(await refusal(Self.signed(makeRequest("PUT", "/b/k"), payload: mode), .s3)?.code == code)
        }
    }

    @Test func aServiceOfDocumentsWantsItsBodySigned() async {
        let signer = RequestSigner(
            accessKeyID: "AKIAIOSFODNN7EXAMPLE", secret: SecretBytes(copying: Array(FixedCredentials.secret.utf8)),
            region: "us-east-1", service: .codePipeline)
        var request = makeRequest("POST", body: Array("{}".utf8))
        signer.sign(&request, payloadHash: PayloadHash.unsigned, date: Self.now)
        #expect(await refusal(request, .codePipeline)?.code == "InvalidSignatureException")
        signer.sign(&request, payloadHash: SHA256.digest(Array("{}".utf8)).description, date: Self.now)
        #expect(await refusal(request, .codePipeline) == nil)
        request.body = RequestBody(bytes: Array("[]".utf8))
        #expect(await refusal(request, .codePipeline)?.code == "InvalidSignatureException")
    }

    @Test func aScopeOfAnotherServiceIsRefused() async {
        let error = await refusal(Self.signed(makeRequest("POST")), .codePipeline)
        #expect(error?.code == "InvalidSignatureException")
        #expect(error?.message.contains("'codepipeline'") == true)
    }
}
