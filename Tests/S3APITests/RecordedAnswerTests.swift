import Testing

@testable import S3API

/// Corners in which Amazon S3 was seen to answer so and not otherwise.
@Suite struct RecordedAnswerTests {
    private func fixture(_ objects: [String: String] = ["k": "hello world"]) async throws -> FrontFixture {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for (key, text) in objects { try await fixture.send("PUT", "/bucket/\(key)", text) }
        return fixture
    }

    @Test(arguments: ["bucket%2Fa+b", "bucket/a%20b", "/bucket/a+b"])
    func `A plus sign in a copy's source is a space`(_ source: String) async throws {
        let fixture = try await fixture(["a%20b": "text"])
        let copy = try await fixture.send("PUT", "/bucket/copy", "", ["x-amz-copy-source": source])
        #expect(copy.status == 200)
        #expect(try await fixture.send("GET", "/bucket/copy").body == "text")
    }

    @Test func `A plus sign that is meant is encoded`() async throws {
        let fixture = try await fixture(["a%2Bb": "plus"])
        let copy = try await fixture.send("PUT", "/bucket/copy", "", ["x-amz-copy-source": "bucket/a%2Bb"])
        #expect(copy.status == 200)
        #expect(try await fixture.send("GET", "/bucket/copy").body == "plus")
    }

    @Test(arguments: ["0000", "abcd", "0000000000020", "aa000000000$"])
    func `An expected owner that is no account is an error of its own`(_ owner: String) async throws {
        let answer = try await fixture().send("GET", "/bucket?location", "", ["x-amz-expected-bucket-owner": owner])
        #expect(answer.status == 400 && answer.code == "InvalidBucketOwnerAWSAccountID")
    }

    @Test func `The first part of an object in one piece has the object's checksum`() async throws {
        let fixture = try await fixture()
        let part = try await fixture.send("GET", "/bucket/k?partNumber=1", "", ["x-amz-checksum-mode": "ENABLED"])
        #expect(part.status == 206 && part.header("x-amz-checksum-crc64nvme") != nil)
        let other = try await fixture.send("GET", "/bucket/k?partNumber=2")
        #expect(other.status == 416 && other.element("ActualPartCount") == "1")
    }

    @Test func `A part has its own checksum where the upload named an algorithm`() async throws {
        let fixture = try await fixture()
        let begun = try await fixture.send(
            "POST", "/bucket/m?uploads", "", ["x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "COMPOSITE"])
        let upload = try #require(begun.element("UploadId"))
        let sent = try await fixture.send(
            "PUT", "/bucket/m?partNumber=1&uploadId=\(upload)", "hello world", ["x-amz-checksum-crc32": "DUoRhQ=="])
        let tag = try #require(sent.header("etag"))
        let parts = "<Part><PartNumber>1</PartNumber><ETag>\(tag)</ETag><ChecksumCRC32>DUoRhQ==</ChecksumCRC32></Part>"
        let done = try await fixture.send(
            "POST", "/bucket/m?uploadId=\(upload)", "<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>")
        #expect(done.status == 200)
        let part = try await fixture.send("GET", "/bucket/m?partNumber=1", "", ["x-amz-checksum-mode": "ENABLED"])
        #expect(part.header("x-amz-checksum-crc32") == "DUoRhQ==")
        #expect(part.header("x-amz-checksum-type") == "COMPOSITE")
    }

    @Test func `An empty completion is malformed, of an upload that there is`() async throws {
        let fixture = try await fixture()
        let missing = try await fixture.send("POST", "/bucket/m?uploadId=none")
        #expect(missing.status == 404 && missing.code == "NoSuchUpload")
        let upload = try #require(try await fixture.send("POST", "/bucket/m?uploads").element("UploadId"))
        #expect(try await fixture.send("POST", "/bucket/m?uploadId=\(upload)").code == "MalformedXML")
    }

    @Test func `A presigned write depends on what its query says`() async throws {
        let fixture = try await fixture()
        let query = "If-None-Match=%2A&X-Amz-Signature=00"
        #expect(try await fixture.send("PUT", "/bucket/new?\(query)", "1").status == 200)
        let again = try await fixture.send("PUT", "/bucket/new?\(query)", "2")
        #expect(again.status == 412)
        #expect(try await fixture.send("GET", "/bucket/new").body == "1")
    }

    @Test func `Two checksums are one too many, whatever they are`() async throws {
        let headers = ["x-amz-checksum-crc32": "nonsense", "x-amz-checksum-sha1": "nonsense"]
        let answer = try await fixture().send("PUT", "/bucket/k", "x", headers)
        #expect(answer.code == "InvalidRequest" && answer.body.contains("Expecting a single x-amz-checksum- header"))
    }

    @Test func `Listings say where the bucket is`() async throws {
        let fixture = try await fixture()
        for query in ["", "?list-type=2"] {
            let answer = try await fixture.send("GET", "/bucket\(query)")
            #expect(answer.header("x-amz-bucket-region") == "us-east-1")
        }
    }
}
