import AWSProtocol
import Foundation
import ObjectStorage
import Testing

@testable import S3API

@Suite struct XMLParserTests {
    @Test func `Documents are read with prefixes, entities, comments and character data`() throws {
        let text = """
            <?xml version="1.0"?><!-- a -->
            <s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" a='>'>
              <Quiet>true</Quiet><Empty/>
              <Object><Key>a&amp;b&#x20AC;&#34;<!-- no --><![CDATA[<c>]]></Key></Object>
            </s3:Delete>
            """
        let root = try XMLParser.parse(Array(text.utf8), root: "Delete")
        #expect(root.value("Quiet") == "true")
        #expect(root.child("Empty")?.text == "")
        #expect(root.child("Object")?.value("Key") == "a&b€\"<c>")
    }

    @Test(arguments: [
        "", "<a>", "<a></b>", "<a/><a/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&unknown;</a>", "<a",
        "<a><b></a>",
        "text", "<a>&#xD800;</a>", "<a b='></a>", "<a><![CDATA[</a>", String(repeating: "<a>", count: 100),
    ])
    func `Broken documents are refused`(_ text: String) {
        #expect(throws: AWSError.self) { try XMLParser.parse(Array(text.utf8), root: "a") }
    }

    @Test func `Random bytes never trap`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var state = seed
        for _ in 0..<3000 {
            var bytes: [UInt8] = Array("<a>".utf8)
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(Array("<>/&;#!-[]CDATA?a \"'x0".utf8)[Int(state >> 33) % 22])
            }
            _ = try? XMLParser.parse(bytes, root: "a")
        }
    }
}

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-3", 10, 0..<4), ("bytes=5-", 10, 5..<10), ("bytes=-3", 10, 7..<10), ("bytes=8-100", 10, 8..<10),
            ("bytes=-100", 10, 0..<10), ("BYTES=1-1", 10, 1..<2), ("bytes=3-2", 10, nil), ("bytes=a-b", 10, nil),
            ("items=0-1", 10, nil), ("bytes=0-1,3-4", 10, nil), ("bytes=", 10, nil), ("bytes=-", 10, nil),
        ] as [(String, Int64, Range<Int64>?)])
    func `Single ranges are understood and others ignored`(_ header: String, _ size: Int64, _ expected: Range<Int64>?)
        throws
    {
        #expect(try ByteRange.parse(header, size: size) == expected)
    }

    @Test(arguments: [
        ("bytes=10-", Int64(10)), ("bytes=0-", 0), ("bytes=-0", 10), ("bytes=-5", 0), ("bytes=99-100", 10),
    ])
    func `Ranges outside of the object are refused`(_ header: String, _ size: Int64) {
        #expect(throws: AWSError.self) { try ByteRange.parse(header, size: size) }
    }
}

@Suite struct S3DateTests {
    @Test(arguments: [
        (0.0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        (951_782_400.5, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.500Z"),
        (1_767_225_599.999, "Wed, 31 Dec 2025 23:59:59 GMT", "2025-12-31T23:59:59.999Z"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59.000Z"),
    ])
    func `Times are written as S3 writes them and read back`(_ seconds: Double, _ http: String, _ iso: String) {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(S3Date.http(date) == http)
        #expect(S3Date.iso(date) == iso)
        #expect(S3Date.parseHTTP(http) == Date(timeIntervalSince1970: seconds.rounded(.down)))
    }

    @Test(arguments: ["", "yesterday", "Thu, 99 Jan 1970 00:00:00 GMT", "2000-01-01T00:00:00Z"])
    func `Other texts are no times`(_ text: String) { #expect(S3Date.parseHTTP(text) == nil) }
}

@Suite struct ContinuationTokenTests {
    @Test(arguments: ["a", "photos/2026/", "ä/\u{1F600}"])
    func `Tokens give their position back`(_ position: String) throws {
        #expect(try ContinuationToken.decode(ContinuationToken.encode(position)) == position)
    }

    @Test(arguments: ["", "!!", "YQ", "photos/"])
    func `Other texts are refused`(_ token: String) {
        #expect(throws: AWSError.self) { try ContinuationToken.decode(token) }
    }
}

@Suite struct OperationTests {
    @Test(arguments: [
        ("GET", "/", "", S3Operation.listBuckets), ("GET", "/b", "", .listObjects),
        ("GET", "/b/", "list-type=2", .listObjectsV2),
        ("GET", "/b", "versions", .listObjectVersions), ("GET", "/b", "uploads=", .listMultipartUploads),
        ("PUT", "/b/", "", .createBucket), ("HEAD", "/b", "", .headBucket), ("POST", "/b", "delete", .deleteObjects),
        ("GET", "/b", "policy", .getBucketDocument(.policy)), ("PUT", "/b", "tagging", .putBucketDocument(.tagging)),
        ("DELETE", "/b", "cors", .deleteBucketDocument(.cors)), ("PUT", "/b", "encryption", .putBucketEncryption),
        ("GET", "/b/k", "", .getObject), ("GET", "/b/k", "acl", .getAcl),
        ("GET", "/b/k/x?", "attributes", .getObjectAttributes),
        ("PUT", "/b/k", "partNumber=1&uploadId=x", .uploadPart), ("POST", "/b/k", "uploads", .createMultipartUpload),
        ("POST", "/b/k", "uploadId=x", .completeMultipartUpload),
        ("DELETE", "/b/k", "uploadId=x", .abortMultipartUpload),
        ("GET", "/b/k", "uploadId=x", .listParts), ("DELETE", "/b/k", "tagging", .deleteObjectTagging),
    ])
    func `Requests name their operation`(
        _ method: String, _ path: String, _ query: String, _ expected: S3Operation
    ) throws {
        let request = try S3Request(ServiceRequest(method: method, path: path, query: query), baseDomain: nil)
        #expect(try S3Operation.choose(request) == expected)
    }

    @Test(arguments: [
        ("GET", "/b", "inventory", "NotImplemented"), ("PUT", "/b/k", "retention", "NotImplemented"),
        ("POST", "/b", "", "NotImplemented"), ("PATCH", "/b/k", "", "MethodNotAllowed"),
        ("POST", "/", "", "MethodNotAllowed"),
        ("GET", "/b", "list-type=3", "InvalidArgument"),
    ])
    func `What is not supported is refused by name`(_ method: String, _ path: String, _ query: String, _ code: String)
        throws
    {
        let request = try S3Request(ServiceRequest(method: method, path: path, query: query), baseDomain: nil)
        let error = #expect(throws: AWSError.self) { _ = try S3Operation.choose(request) }
        #expect(error?.code == code)
    }

    @Test(
        arguments: [
            ("/bucket/a%2Fb//c%20d+e", nil, "localhost", "bucket", "a/b//c d+e"),
            ("/k/x", "s3.test", "b.s3.test:80", "b", "k/x"),
            ("/", "s3.test", "b.s3.test", "b", nil), ("/b", "s3.test", "s3.test", "b", nil),
        ] as [(String, String?, String, String?, String?)])
    func `Paths and hosts name bucket and key`(
        _ path: String, _ domain: String?, _ host: String, _ bucket: String?, _ key: String?
    ) throws {
        let request = try S3Request(ServiceRequest(method: "GET", path: path, authority: host), baseDomain: domain)
        #expect(request.bucket == bucket)
        #expect(request.key == key)
    }

    @Test func `Keys that are not UTF-8 are refused`() {
        #expect(throws: AWSError.self) {
            try S3Request(ServiceRequest(method: "GET", path: "/b/%FF"), baseDomain: nil)
        }
    }
}
