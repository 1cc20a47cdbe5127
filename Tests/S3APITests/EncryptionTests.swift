import AWSProtocol
import AccessControl
import ArtifactStore
import Foundation
import KeyHierarchy
import Synchronization
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

    @Test func `With a bucket key KMS is asked once, and again after five minutes and after any change of a key`()
        async throws
    {
        let changes = Mutex<UInt64>(0)
        let asked = Mutex(0)
        let uses = BucketKeyUses { changes.withLock { $0 } }
        func use(_ operation: String, bucket: String = "b", user: String = "one") -> ObjectKeyUse {
            ObjectKeyUse(
                operation: operation, keyARN: "arn:aws:kms:us-east-1:111122223333:key/k",
                context: ["aws:s3:arn": "arn:aws:s3:::\(bucket)"],
                principal: Principal(
                    account: "111122223333", arn: "arn:aws:iam::111122223333:user/\(user)", userID: user,
                    accessKeyID: user, kind: .session))
        }
        func times(_ use: ObjectKeyUse, after seconds: TimeInterval = 0, from address: String = "10.0.0.1") async throws
            -> Int
        {
            let request = ServiceRequest(
                method: "PUT", path: "/b/k", remoteAddress: address, receivedAt: Date(timeIntervalSince1970: seconds))
            try await uses.allow(use, request) { asked.withLock { $0 += 1 } }
            return asked.withLock { $0 }
        }
        #expect(try await times(use("GenerateDataKey")) == 1)
        #expect(try await times(use("GenerateDataKey"), after: 299) == 1)
        #expect(try await times(use("Decrypt")) == 2)
        #expect(try await times(use("GenerateDataKey", bucket: "other")) == 3)
        #expect(try await times(use("GenerateDataKey", user: "two")) == 4)
        #expect(try await times(use("GenerateDataKey"), from: "10.0.0.2") == 5)
        #expect(try await times(use("GenerateDataKey"), after: 300) == 6)
        changes.withLock { $0 += 1 }
        #expect(try await times(use("GenerateDataKey"), after: 301) == 7)
        #expect(try await times(use("GenerateDataKey"), after: 302) == 7)
        // A refusal is not remembered, nor does it stand for a permission.
        let denied = use("Decrypt", bucket: "denied")
        for _ in 0..<2 {
            await #expect(throws: KeyError.self) {
                try await uses.allow(denied, ServiceRequest(method: "GET", path: "/")) {
                    throw KeyError(.accessDenied, "no")
                }
            }
        }
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
