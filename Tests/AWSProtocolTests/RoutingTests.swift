import Foundation
import Testing

@testable import AWSProtocol

struct RoutingTests {
    static func scope(_ service: String) -> (String, String) {
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=A/20130524/r/\(service)/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    static let table: [(String, ServiceRequest, String)] = [
        ("reserved path", makeRequest("GET", "/-/health", headers: [scope("s3")]), "coffer"),
        (
            "target before scope",
            makeRequest("POST", headers: [("X-Amz-Target", "CodePipeline_20150709.ListPipelines"), scope("s3")]),
            "codepipeline"
        ),
        (
            "target with dots in its prefix",
            makeRequest(
                "POST",
                headers: [("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents")]),
            "cloudtrail"
        ),
        ("scope before path", makeRequest("GET", "/clusters", headers: [scope("eks")]), "eks"),
        ("presigned scope", makeRequest("GET", "/b?X-Amz-Credential=A%2F20130524%2Fr%2Fs3%2Faws4_request"), "s3"),
        ("action in the query", makeRequest("GET", "/?Action=GetCallerIdentity&Version=2011-06-15"), "sts"),
        ("git", makeRequest("GET", "/v1/repos/app/info/refs?service=git-upload-pack"), "codecommit"),
        ("registry", makeRequest("GET", "/v2/"), "ecr-registry"),
        ("function", makeRequest("POST", "/2015-03-31/functions/f/invocations"), "lambda"),
        ("browser", makeRequest("GET", "/", headers: [("Accept", "text/html,*/*")]), "coffer"),
        ("anonymous bucket", makeRequest("GET", "/bucket/key"), "s3"),
    ]

    @Test(arguments: table)
    func requestsFindTheirService(name: String, request: ServiceRequest, service: String) {
        #expect(ServiceRouter.service(of: request).rawValue == service)
    }

    @Test func anUnsignedFormIsReadForItsActionAndPutBack() async throws {
        let form = Array("Action=AssumeRoleWithWebIdentity&Version=2011-06-15".utf8)
        var request = makeRequest(
            "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")], body: form)
        #expect(try await ServiceRouter.route(&request) == .sts)
        #expect(try await request.body.collect(upTo: 1000) == form)
    }

    @Test func timesAreWrittenAndReadBack() {
        for seconds in [0, 951_782_400, 1_709_164_799, 1_440_938_160, 4_102_444_799] {
            let date = AWSTime.parseBasic(AWSTime.basic(.init(timeIntervalSince1970: Double(seconds))))
            #expect(date?.timeIntervalSince1970 == Double(seconds))
            #expect(AWSTime.parseHTTP(AWSTime.http(.init(timeIntervalSince1970: Double(seconds)))) == date)
        }
        let date = AWSTime.parseBasic("20150830T123600Z") ?? .distantPast
        #expect(AWSTime.http(date) == "Sun, 30 Aug 2015 12:36:00 GMT")
        #expect(AWSTime.iso8601(date) == "2015-08-30T12:36:00.000Z")
    }

    @Test func errorsAreWrittenInTheirDialect() async throws {
        let request = makeRequest("GET", "/bucket/a%26b")
        func text(_ error: AWSError, _ dialect: Dialect) async throws -> String {
            let response = ServiceResponse.failure(error, to: request, in: dialect)
            return String(decoding: try await response.body.collect(upTo: 10_000), as: UTF8.self)
        }
        let error = AWSError("NoSuchKey", "a < b", fields: [("Key", "a&b")])
        #expect(
            try await text(error, .restXML).hasPrefix(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>a &lt; b</Message>"
                    + "<Key>a&amp;b</Key><Resource>/bucket/a&amp;b</Resource><RequestId>"))
        #expect(error.status(in: .restXML) == 404)
        #expect(try await text(error, .json) == #"{"Key":"a&b","__type":"NoSuchKey","message":"a < b"}"#)
        #expect(try await text(error, .query).contains("<Error><Type>Sender</Type><Code>NoSuchKey</Code>"))
    }
}
