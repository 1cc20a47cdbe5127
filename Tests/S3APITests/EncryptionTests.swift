import ArtifactStore
import Foundation
import KeyHierarchy
import Testing

@testable import S3API

@Suite struct EncryptionTests {
    @Test func `Objects under a disabled key are refused until it is enabled again`() async throws {
        let fixture = try await FrontFixture()
        let scope = AccountRegion(account: fixture.account, region: "us-east-1")
        let policy = """
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", \
            "Principal": {"AWS": "arn:aws:iam::\(fixture.account):root"}}]}
            """
        let key = try await fixture.keys.createKey(NewKMSKey(policy: policy), in: scope)
        try await fixture.send("PUT", "/bucket")
        let headers = [
            "x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key.keyID,
        ]
        let put = try await fixture.send("PUT", "/bucket/k", "secret", headers)
        let arn = try #require(put.header("x-amz-server-side-encryption-aws-kms-key-id"))
        #expect(arn.hasSuffix(":key/\(key.keyID)"))
        try await fixture.send("PUT", "/bucket/other", "plain")
        try await fixture.keys.setEnabled(false, scope, key.keyID)
        let get = try await fixture.send("GET", "/bucket/k")
        #expect(get.status == 400 && get.code == "KMS.DisabledException")
        #expect(try await fixture.send("PUT", "/bucket/k2", "x", headers).status == 400)
        #expect(try await fixture.send("HEAD", "/bucket/k").status == 200)
        #expect(try await fixture.send("GET", "/bucket/other").body == "plain")
        try await fixture.keys.setEnabled(true, scope, key.keyID)
        #expect(try await fixture.send("GET", "/bucket/k").body == "secret")
    }

    @Test func `A bucket's default key is used, shown and given up`() async throws {
        let fixture = try await FrontFixture()
        try await fixture.send("PUT", "/bucket")
        let body = """
            <ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
            <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\
            <BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>
            """
        #expect(try await fixture.send("PUT", "/bucket?encryption", body).status == 200)
        #expect(try await fixture.send("GET", "/bucket?encryption").element("SSEAlgorithm") == "aws:kms")
        let put = try await fixture.send("PUT", "/bucket/k", "x")
        #expect(put.header("x-amz-server-side-encryption") == "aws:kms")
        let managed = try await fixture.send("PUT", "/bucket/m", "x", ["x-amz-server-side-encryption": "AES256"])
        #expect(managed.header("x-amz-server-side-encryption") == "AES256")
        #expect(try await fixture.send("DELETE", "/bucket?encryption").status == 204)
        #expect(try await fixture.send("GET", "/bucket?encryption").element("SSEAlgorithm") == "AES256")
        #expect(try await fixture.send("GET", "/bucket/k").body == "x")
    }
}
