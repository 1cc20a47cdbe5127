import AccessControl
import Cryptography
import Foundation
import Testing

@testable import S3API

@Suite struct FrontTests {
    @Test func `An object is written, read, described and deleted`() async throws {
        let fixture = try await FrontFixture()
        #expect(try await fixture.send("PUT", "/bucket").status == 200)
        let put = try await fixture.send(
            "PUT", "/bucket/a%20b", "hello world",
            ["content-type": "text/plain", "x-amz-meta-colour": "blue", "x-amz-checksum-crc32": "DUoRhQ=="])
        #expect(put.status == 200)
        #expect(put.header("etag") == "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"")
        #expect(put.header("x-amz-checksum-crc32") == "DUoRhQ==")
        #expect(put.header("x-amz-version-id") == nil)
        let get = try await fixture.send("GET", "/bucket/a%20b", "", ["x-amz-checksum-mode": "ENABLED"])
        #expect(get.status == 200 && get.body == "hello world")
        #expect(get.header("content-type") == "text/plain")
        #expect(get.header("x-amz-meta-colour") == "blue")
        #expect(get.header("x-amz-checksum-crc32") == "DUoRhQ==")
        let head = try await fixture.send("HEAD", "/bucket/a%20b")
        #expect(head.status == 200 && head.body.isEmpty && head.header("content-length") == "11")
        #expect(try await fixture.send("DELETE", "/bucket/a%20b").status == 204)
        let gone = try await fixture.send("GET", "/bucket/a%20b")
        #expect(gone.status == 404 && gone.code == "NoSuchKey")
        #expect(try await fixture.send("DELETE", "/bucket").status == 204)
        #expect(try await fixture.send("HEAD", "/bucket").status == 404)
    }

    @Test(
        arguments: [
            ("bytes=0-4", 206, "hello", "bytes 0-4/11"), ("bytes=-5", 206, "world", "bytes 6-10/11"),
            ("bytes=99-", 416, nil, nil), ("bytes=0-1,3-4", 200, "hello world", nil),
        ] as [(String, Int, String?, String?)])
    func `Ranges are served without the whole object's checksum`(
        _ range: String, _ status: Int, _ body: String?, _ contentRange: String?
    ) async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/k", "hello world")
        let get = try await fixture.send("GET", "/bucket/k", "", ["range": range, "x-amz-checksum-mode": "ENABLED"])
        #expect(get.status == status)
        if let body { #expect(get.body == body) }
        #expect(get.header("content-range") == contentRange)
        #expect((get.header("x-amz-checksum-crc64nvme") != nil) == (status == 200))
    }

    @Test(arguments: [
        ("if-match", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"", 200), ("if-match", "\"other\"", 412),
        ("if-none-match", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"", 304), ("if-none-match", "*", 304),
        // A time that has not come is not looked at.
        ("if-none-match", "\"other\"", 200), ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT", 200),
        ("if-modified-since", "now", 304),
        ("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT", 412), ("if-unmodified-since", "nonsense", 200),
    ])
    func `Reads are conditional`(_ name: String, _ value: String, _ status: Int) async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/k", "hello world")
        for method in ["GET", "HEAD"] {
            let value = value == "now" ? S3Date.http(Date()) : value
            let answer = try await fixture.send(method, "/bucket/k", "", [name: value])
            #expect(answer.status == status)
            #expect(status == 200 || answer.body.isEmpty || method == "GET")
        }
    }

    @Test func `Writes are conditional`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        let first = try await fixture.send("PUT", "/bucket/k", "1", ["if-none-match": "*"])
        #expect(first.status == 200)
        let second = try await fixture.send("PUT", "/bucket/k", "2", ["if-none-match": "*"])
        #expect(second.status == 412 && second.code == "PreconditionFailed")
        let third = try await fixture.send("PUT", "/bucket/k", "3", ["if-match": try #require(first.header("etag"))])
        #expect(third.status == 200)
        #expect(try await fixture.send("PUT", "/bucket/k", "4", ["if-none-match": "\"x\""]).status == 501)
        #expect(try await fixture.send("GET", "/bucket/k").body == "3")
    }

    @Test func `Wrong digests are refused and leave nothing`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for headers in [
            ["content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="], ["x-amz-checksum-crc32c": "AAAAAA=="],
            ["x-amz-checksum-sha256": Base64.encode(Array(repeating: UInt8(0), count: 32))],
        ] {
            let put = try await fixture.send("PUT", "/bucket/k", "hello", headers)
            #expect(put.status == 400 && put.code == "BadDigest")
        }
        #expect(try await fixture.send("PUT", "/bucket/k", "x", ["content-md5": "??"]).code == "InvalidDigest")
        #expect(
            try await fixture.send("PUT", "/bucket/k", "x", ["x-amz-checksum-sha1": "AA=="]).code == "InvalidRequest")
        #expect(try await fixture.send("GET", "/bucket/k").status == 404)
    }

    @Test func `Versions, markers and deletions speak through headers`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        #expect(try await fixture.send("PUT", "/bucket?versioning", on).status == 200)
        #expect(try await fixture.send("GET", "/bucket?versioning").element("Status") == "Enabled")
        let one = try await fixture.send("PUT", "/bucket/k", "one")
        let version = try #require(one.header("x-amz-version-id"))
        let deletion = try await fixture.send("DELETE", "/bucket/k")
        let marker = try #require(deletion.header("x-amz-version-id"))
        #expect(deletion.header("x-amz-delete-marker") == "true")
        let hidden = try await fixture.send("GET", "/bucket/k")
        #expect(hidden.status == 404 && hidden.header("x-amz-delete-marker") == "true")
        let direct = try await fixture.send("GET", "/bucket/k?versionId=\(marker)")
        #expect(direct.status == 405 && direct.header("x-amz-delete-marker") == "true")
        #expect(try await fixture.send("GET", "/bucket/k?versionId=\(version)").body == "one")
        let list = try await fixture.send("GET", "/bucket?versions")
        #expect(list.body.contains("<DeleteMarker><Key>k</Key><VersionId>\(marker)</VersionId><IsLatest>true"))
    }

    @Test func `An upload in parts is assembled, with unquoted and escaped tags`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        let begun = try await fixture.send("POST", "/bucket/k?uploads", "", ["x-amz-checksum-algorithm": "CRC32"])
        let id = try #require(begun.element("UploadId"))
        var tags: [String] = []
        for (number, text) in [(1, "hello "), (2, "world")] {
            let part = try await fixture.send("PUT", "/bucket/k?partNumber=\(number)&uploadId=\(id)", text)
            tags.append(String(try #require(part.header("etag")).dropFirst().dropLast()))
            #expect(part.header("x-amz-checksum-crc32") != nil)
        }
        let listed = try await fixture.send("GET", "/bucket/k?uploadId=\(id)")
        #expect(listed.body.contains("<PartNumber>2</PartNumber>"))
        let body = """
            <CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\
            <Part><PartNumber>1</PartNumber><ETag>\(tags[0])</ETag></Part>\
            <Part><ETag>&#34;\(tags[1])&#34;</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>
            """
        let done = try await fixture.send("POST", "/bucket/k?uploadId=\(id)", body)
        #expect(done.status == 200)
        #expect(done.element("ETag")?.hasSuffix("-2&quot;") == true)
        #expect(done.element("ChecksumCRC32")?.hasSuffix("-2") == true)
        #expect(try await fixture.send("GET", "/bucket/k").body == "hello world")
        let part = try await fixture.send("GET", "/bucket/k?partNumber=2")
        #expect(part.status == 206 && part.body == "world" && part.header("x-amz-mp-parts-count") == "2")
        #expect(try await fixture.send("GET", "/bucket/k?partNumber=3").status == 416)
        let attributes = try await fixture.send(
            "GET", "/bucket/k?attributes", "", ["x-amz-object-attributes": "ObjectParts,ObjectSize"])
        #expect(attributes.element("PartsCount") == "2" && attributes.element("ObjectSize") == "11")
    }

    @Test func `Batches are deleted with a digest and refused without`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for key in ["a", "b&c"] { try await fixture.send("PUT", "/bucket/\(key)", "x") }
        let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object></Delete>"
        #expect(try await fixture.send("POST", "/bucket?delete", body).code == "InvalidRequest")
        let digest = Base64.encode(MD5.digest(Array(body.utf8)))
        let deleted = try await fixture.send("POST", "/bucket?delete", body, ["content-md5": digest])
        #expect(deleted.status == 200 && deleted.body.contains("<Key>b&amp;c</Key>"))
        #expect(try await fixture.send("GET", "/bucket").body.contains("<Contents>") == false)
    }

    @Test func `Copies keep or replace what is said of an object`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/a%2Bb", "x", ["x-amz-meta-a": "1", "content-type": "text/x"])
        let source = ["x-amz-copy-source": "/bucket/a%2Bb"]
        #expect(try await fixture.send("PUT", "/bucket/c", "", source).element("ETag") != nil)
        #expect(try await fixture.send("HEAD", "/bucket/c").header("x-amz-meta-a") == "1")
        let replaced = source.merging(["x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"]) { $1 }
        #expect(try await fixture.send("PUT", "/bucket/a%2Bb", "", replaced).status == 200)
        let head = try await fixture.send("HEAD", "/bucket/a%2Bb")
        #expect(head.header("x-amz-meta-b") == "2" && head.header("x-amz-meta-a") == nil)
        #expect(try await fixture.send("PUT", "/bucket/a%2Bb", "", source).code == "InvalidRequest")
        let failed = source.merging(["x-amz-copy-source-if-match": "x"]) { $1 }
        #expect(try await fixture.send("PUT", "/bucket/d", "", failed).status == 412)
        #expect(
            try await fixture.send("PUT", "/bucket/d", "", ["x-amz-copy-source": "nonsense"]).code == "InvalidArgument")
    }

    @Test(
        arguments: [
            ("policy", "NoSuchBucketPolicy"), ("cors", "NoSuchCORSConfiguration"),
            ("lifecycle", "NoSuchLifecycleConfiguration"),
            ("tagging", "NoSuchTagSet"), ("publicAccessBlock", nil), ("ownershipControls", nil),
            ("website", "NoSuchWebsiteConfiguration"),
            ("object-lock", "ObjectLockConfigurationNotFoundError"),
            ("replication", "ReplicationConfigurationNotFoundError"),
            ("notification", nil), ("logging", nil), ("acl", nil), ("encryption", nil), ("accelerate", nil),
            ("requestPayment", nil), ("location", nil), ("versioning", nil),
        ] as [(String, String?)])
    func `Absent documents answer as S3 does`(_ name: String, _ code: String?) async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        let answer = try await fixture.send("GET", "/bucket?\(name)")
        #expect(answer.status == (code == nil ? 200 : 404))
        #expect(answer.code == code)
    }

    @Test(arguments: [
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
            200
        ),
        ("cors", "<CORSConfiguration/>", 400), ("policy", "{\"Statement\":[]}", 204), ("policy", "{", 400),
        ("website", "<WebsiteConfiguration/>", 501), ("notification", "<NotificationConfiguration/>", 200),
        ("notification", "<NotificationConfiguration><TopicConfiguration/></NotificationConfiguration>", 501),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule><Status>Enabled</Status><Prefix/></Rule></LifecycleConfiguration>", 200
        ),
        ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", 204),
        ("tagging", "<Wrong/>", 400),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration><Days>0</Days></Expiration></Rule></LifecycleConfiguration>",
            400
        ),
    ])
    func `Documents that are put come back, and promises that could not be kept are refused`(
        _ name: String, _ body: String, _ status: Int
    ) async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        #expect(try await fixture.send("PUT", "/bucket?\(name)", body).status == status)
        if status < 300 { #expect(try await fixture.send("GET", "/bucket?\(name)").body == body) }
    }

    @Test func `Only the owner's account and what a grant names are let in`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/in/k", "x")
        let stranger = Principal.root(account: "999999999999", accessKeyID: "AKIB")
        #expect(try await fixture.send("GET", "/bucket/in/k", as: stranger).code == "AccessDenied")
        let grant = SessionGrant(statements: [
            .init(actions: ["s3:GetObject"], resources: ["arn:aws:s3:::bucket/in/*"])
        ])
        let job = Principal(
            account: fixture.account, arn: "arn:aws:sts::1:job", userID: "j", accessKeyID: "ASIA", kind: .session,
            grant: grant)
        #expect(try await fixture.send("GET", "/bucket/in/k", as: job).body == "x")
        #expect(try await fixture.send("PUT", "/bucket/in/k", "y", as: job).status == 403)
        #expect(try await fixture.send("GET", "/bucket", as: job).status == 403)
    }

    @Test func `Keys are encoded when asked and escaped when not`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/a%20%3C%C3%A4%3E+b/c", "x")
        let plain = try await fixture.send("GET", "/bucket?list-type=2")
        #expect(plain.element("Key") == "a &lt;ä&gt;+b/c")
        let encoded = try await fixture.send("GET", "/bucket?list-type=2&encoding-type=url&prefix=a%20")
        #expect(encoded.element("Key") == "a%20%3C%C3%A4%3E%2Bb/c" && encoded.element("Prefix") == "a%20")
    }

    @Test func `Pages go on where they ended`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for key in ["a", "b", "c/1", "c/2", "d"] { try await fixture.send("PUT", "/bucket/\(key)", "x") }
        var keys: [String] = []
        var token: String?
        repeat {
            let query = token.map { "&continuation-token=\($0)" } ?? ""
            let page = try await fixture.send("GET", "/bucket?list-type=2&max-keys=1&delimiter=/" + query)
            #expect(page.element("KeyCount") == "1")
            keys.append(try #require(page.element("Key") ?? page.element("CommonPrefixes")))
            token = page.element("NextContinuationToken")
        } while token != nil
        #expect(keys == ["a", "b", "<Prefix>c/</Prefix>", "d"])
        #expect(try await fixture.send("GET", "/bucket?list-type=2&continuation-token=x").code == "InvalidArgument")
    }

    @Test func `Tags travel by header and by document`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        try await fixture.send("PUT", "/bucket/k", "x", ["x-amz-tagging": "a=1&b=%2B+c"])
        #expect(try await fixture.send("GET", "/bucket/k").header("x-amz-tagging-count") == "2")
        #expect(try await fixture.send("GET", "/bucket/k?tagging").body.contains("<Value>+ c</Value>"))
        for header in ["a=1&a=2", "a=1,b=2"] {
            let answer = try await fixture.send("PUT", "/bucket/l", "x", ["x-amz-tagging": header])
            #expect(answer.code == "InvalidArgument")
        }
        let twice = "<Tagging><TagSet><Tag><Key>a</Key></Tag><Tag><Key>a</Key></Tag></TagSet></Tagging>"
        #expect(try await fixture.send("PUT", "/bucket/k?tagging", twice).code == "InvalidTag")
        #expect(try await fixture.send("DELETE", "/bucket/k?tagging").status == 204)
        #expect(try await fixture.send("GET", "/bucket/k").header("x-amz-tagging-count") == nil)
    }

    @Test func `What would be less than promised is refused`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for (headers, status) in [
            (["x-amz-acl": "public-read"], 400), (["x-amz-acl": "private"], 200),
            (["x-amz-server-side-encryption-customer-algorithm": "AES256"], 501),
            (["x-amz-object-lock-mode": "GOVERNANCE"], 501), (["x-amz-storage-class": "COLD"], 400),
            (["x-amz-server-side-encryption": "rot13"], 400),
            (["x-amz-meta-big": String(repeating: "x", count: 2100)], 400),
        ] {
            #expect(try await fixture.send("PUT", "/bucket/k", "x", headers).status == status, "\(headers)")
        }
        let long = String(repeating: "k", count: 1025)
        #expect(try await fixture.send("PUT", "/bucket/\(long)", "x").code == "KeyTooLongError")
        #expect(try await fixture.send("PUT", "/Bad_Name").code == "InvalidBucketName")
    }

    @Test func `Lifecycle rules that were put are applied`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        for key in ["old/a", "new/a"] { try await fixture.send("PUT", "/bucket/\(key)", "x") }
        let body = """
            <LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><And><Prefix>old/</Prefix>\
            <ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>\
            <Expiration><Date>2001-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>
            """
        #expect(try await fixture.send("PUT", "/bucket?lifecycle", body).status == 200)
        await fixture.front.applyLifecycles()
        let list = try await fixture.send("GET", "/bucket")
        #expect(list.body.contains("<Key>new/a</Key>") && !list.body.contains("<Key>old/a</Key>"))
    }
}
