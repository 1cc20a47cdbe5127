import KeyHierarchy
import Testing

@testable import ObjectStorage

@Suite struct BucketTests {
    @Test(arguments: [
        ("abc", true), ("a.b-c", true), ("123", true), ("ab", false), ("Abc", false), ("a..b", false), ("-ab", false),
        ("ab-", false), ("192.168.0.1", false), ("a_b", false), (String(repeating: "a", count: 63), true),
        (String(repeating: "a", count: 64), false), ("bücher", false), ("", false),
    ])
    func `Names follow S3's rules`(_ name: String, _ isValid: Bool) {
        #expect(((try? BucketName.validate(name)) != nil) == isValid)
    }

    @Test func `Names are global and owners may repeat themselves`() async throws {
        let fixture = try await Fixture()
        let other = AccountRegion(account: "999999999999", region: "us-east-1")
        #expect(try await fixture.objects.createBucket("shared", in: fixture.scope) == .created)
        #expect(try await fixture.objects.createBucket("shared", in: fixture.scope) == .alreadyOwned)
        let code = try await refusal { try await fixture.objects.createBucket("shared", in: other) }
        #expect(code == "BucketAlreadyExists")
        #expect(try await fixture.objects.headBucket("shared").scope == fixture.scope)
    }

    @Test func `Buckets are listed by account, prefix and marker`() async throws {
        let fixture = try await Fixture()
        let other = AccountRegion(account: "999999999999", region: "us-east-1")
        for name in ["alpha", "beta", "beta-2", "gamma"] {
            try await fixture.objects.createBucket(name, in: fixture.scope)
        }
        try await fixture.objects.createBucket("delta", in: other)
        let account = fixture.scope.account
        #expect(
            try await fixture.objects.listBuckets(account: account).map(\.name) == ["alpha", "beta", "beta-2", "gamma"])
        #expect(
            try await fixture.objects.listBuckets(account: account, prefix: "bet").map(\.name) == ["beta", "beta-2"])
        #expect(
            try await fixture.objects.listBuckets(account: account, after: "beta", limit: 1).map(\.name) == ["beta-2"])
    }

    @Test func `Only empty buckets are deleted, with their documents and uploads`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("full", .enabled)
        try await fixture.put(bucket, "a")
        try await fixture.objects.putDocument(.cors, Array("<x/>".utf8), of: bucket)
        let upload = try await fixture.objects.createUpload(bucket: bucket, key: "k")
        let part = try await fixture.objects.beginPart(1, of: upload.id, bucket: bucket, key: "k")
        try await part.write([1, 2, 3])
        _ = try await part.finish()
        try await fixture.objects.delete(bucket: bucket, key: "a")
        #expect(try await refusal { try await fixture.objects.deleteBucket(bucket) } == "BucketNotEmpty")
        for version in try await fixture.objects.listVersions(bucket).entries {
            try await fixture.objects.delete(bucket: bucket, key: version.key, versionID: version.versionID)
        }
        try await fixture.objects.deleteBucket(bucket)
        #expect(try await refusal { _ = try await fixture.objects.headBucket(bucket) } == "NoSuchBucket")
        for table in ["object_buckets", "object_documents", "object_uploads", "object_parts", "object_versions"] {
            #expect(try await fixture.count(table) == 0, "\(table)")
        }
    }

    @Test func `Documents are kept as they were put`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        #expect(try await fixture.objects.document(.policy, of: bucket) == nil)
        try await fixture.objects.putDocument(.policy, Array("{1}".utf8), of: bucket)
        try await fixture.objects.putDocument(.policy, Array("{2}".utf8), of: bucket)
        #expect(try await fixture.objects.document(.policy, of: bucket) == Array("{2}".utf8))
        try await fixture.objects.deleteDocument(.policy, of: bucket)
        #expect(try await fixture.objects.document(.policy, of: bucket) == nil)
        #expect(try await refusal { _ = try await fixture.objects.document(.cors, of: "none") } == "NoSuchBucket")
    }
}
