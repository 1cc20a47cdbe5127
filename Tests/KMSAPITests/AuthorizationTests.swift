import AWSProtocol
import AccessControl
import Catalog
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// Policies, grants and accounts.
@Suite struct AuthorizationTests {
    static func role(_ name: String, account: String = KMSBench.account, actions: [String] = []) -> Principal {
        Principal(
            account: account, arn: "arn:aws:sts::\(account):assumed-role/\(name)/s", userID: "AROA:s",
            accessKeyID: "ASIATEST", kind: .session,
            grant: SessionGrant(statements: [.init(actions: actions, resources: ["*"])]))
    }

    static func quoted(_ text: String) throws -> String { String(decoding: try AWSJSON.encode(text), as: UTF8.self) }

    static func policy(_ statements: String...) -> String {
        let owner =
            "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}"
        return "{\"Version\":\"2012-10-17\",\"Statement\":[\(([owner] + statements).joined(separator: ","))]}"
    }

    @Test("A policy that names the account leaves the decision to the account; an explicit deny decides")
    func policies() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let request = "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}"
        #expect(try await bench.call("Encrypt", request, as: Self.role("r")).error == "AccessDeniedException")
        _ = try await bench.ok("Encrypt", request, as: Self.role("r", actions: ["kms:Encrypt"]))
        #expect(
            try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}", as: Self.role("r", actions: ["kms:Encrypt"]))
                .error
                == "AccessDeniedException")
        let deny =
            "{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:role/r\"},\"Action\":\"kms:Enc*\",\"Resource\":\"*\"}"
        _ = try await bench.ok("PutKeyPolicy", "{\"KeyId\":\"\(id)\",\"Policy\":\(try Self.quoted(Self.policy(deny)))}")
        let denied = try await bench.call("Encrypt", request, as: Self.role("r", actions: ["kms:*"]))
        #expect(denied.error == "AccessDeniedException")
        #expect(denied.message.contains("explicit deny"))
        _ = try await bench.ok("Encrypt", request)
        #expect(try await bench.ok("GetKeyPolicy", "{\"KeyId\":\"\(id)\"}")["Policy"] == Self.policy(deny))
    }

    @Test("Conditions on the encryption context and the alias are honoured")
    func conditions() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        _ = try await bench.ok("CreateAlias", "{\"AliasName\":\"alias/a\",\"TargetKeyId\":\"\(id)\"}")
        let deny = """
            {"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*",
             "Condition":{"StringNotEquals":{"kms:EncryptionContext:app":"one"}}},
            {"Effect":"Deny","Principal":"*","Action":"kms:GenerateDataKey","Resource":"*",
             "Condition":{"StringNotLikeIfExists":{"kms:RequestAlias":"alias/a*"},"Null":{"kms:RequestAlias":"false"}}}
            """
        _ = try await bench.ok("PutKeyPolicy", "{\"KeyId\":\"\(id)\",\"Policy\":\(try Self.quoted(Self.policy(deny)))}")
        let plain = "\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\""
        #expect(try await bench.call("Encrypt", "{\(plain)}").error == "AccessDeniedException")
        #expect(
            try await bench.call("Encrypt", "{\(plain),\"EncryptionContext\":{\"app\":\"two\"}}").error
                == "AccessDeniedException")
        _ = try await bench.ok("Encrypt", "{\(plain),\"EncryptionContext\":{\"app\":\"one\"}}")
        _ = try await bench.ok("GenerateDataKey", "{\"KeyId\":\"alias/a\",\"KeySpec\":\"AES_256\"}")
    }

    @Test("A policy that locks its author out is refused unless the check is bypassed")
    func lockout() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let other =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:role/x\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"
        let member = "\"KeyId\":\"\(id)\",\"Policy\":\(try Self.quoted(other))"
        #expect(try await bench.call("PutKeyPolicy", "{\(member)}").error == "MalformedPolicyDocumentException")
        _ = try await bench.ok("PutKeyPolicy", "{\(member),\"BypassPolicyLockoutSafetyCheck\":true}")
        #expect(try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}").error == "AccessDeniedException")
        _ = try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}", as: Self.role("x", actions: ["kms:*"]))
    }

    @Test("Grants admit their grantee at once, within their constraints, until revoked")
    func grants() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let grantee = Self.role("worker")
        let create =
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/worker\",\"Name\":\"n\","
            + "\"Operations\":[\"Encrypt\",\"Decrypt\",\"CreateGrant\"],\"Constraints\":{\"EncryptionContextSubset\":{\"App\":\"one\"}}}"
        let made = try await bench.ok("CreateGrant", create)
        let same = try await bench.ok("CreateGrant", create)
        #expect(same["GrantId"] == made["GrantId"])
        #expect(same["GrantToken"] != made["GrantToken"])
        #expect(made["GrantId"].count == 64)
        let plain = "\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\""
        _ = try await bench.ok("Encrypt", "{\(plain),\"EncryptionContext\":{\"app\":\"one\",\"x\":\"y\"}}", as: grantee)
        for wrong in ["{}", "{\"app\":\"ONE\"}", "{\"x\":\"one\"}"] {
            #expect(
                try await bench.call("Encrypt", "{\(plain),\"EncryptionContext\":\(wrong)}", as: grantee).error
                    == "AccessDeniedException")
        }
        // Another principal gets nothing from holding the token.
        #expect(
            try await bench.call(
                "Encrypt",
                "{\(plain),\"EncryptionContext\":{\"app\":\"one\"},\"GrantTokens\":[\"\(made["GrantToken"])\"]}",
                as: Self.role("thief")
            ).error == "AccessDeniedException")
        // What is granted on may only be narrower.
        func regrant(_ operations: String, _ constraint: String) -> String {
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/next\",\"Operations\":[\(operations)]\(constraint)}"
        }
        let one = ",\"Constraints\":{\"EncryptionContextSubset\":{\"App\":\"one\"}}"
        _ = try await bench.ok("CreateGrant", regrant("\"Decrypt\"", one), as: grantee)
        #expect(
            try await bench.call("CreateGrant", regrant("\"Decrypt\"", ""), as: grantee).error
                == "AccessDeniedException")
        #expect(
            try await bench.call("CreateGrant", regrant("\"GenerateDataKey\"", one), as: grantee).error
                == "AccessDeniedException")
        let listed = try await bench.ok("ListGrants", "{\"KeyId\":\"\(id)\"}").list("Grants")
        #expect(listed.count == 2)
        _ = try await bench.ok("RevokeGrant", "{\"KeyId\":\"\(id)\",\"GrantId\":\"\(made["GrantId"])\"}")
        #expect(
            try await bench.call("Encrypt", "{\(plain),\"EncryptionContext\":{\"app\":\"one\"}}", as: grantee).error
                == "AccessDeniedException")
        let sign = try await bench.call(
            "CreateGrant",
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/worker\",\"Operations\":[\"Sign\"]}"
        )
        #expect(sign.error == "ValidationException")
    }

    @Test("Grants are retired by those they name, and by nobody else")
    func retiring() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let made = try await bench.ok(
            "CreateGrant",
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/worker\",\"Operations\":[\"Encrypt\"],"
                + "\"RetiringPrincipal\":\"arn:aws:iam::000000000000:role/retirer\"}")
        let retire = "{\"GrantToken\":\"\(made["GrantToken"])\"}"
        #expect(try await bench.call("RetireGrant", retire, as: Self.role("worker")).error == "AccessDeniedException")
        let retirable = try await bench.ok(
            "ListRetirableGrants", "{\"RetiringPrincipal\":\"arn:aws:iam::000000000000:role/retirer\"}")
        #expect(retirable.list("Grants").count == 1)
        #expect(
            try await bench.call(
                "RetireGrant", "{\"GrantToken\":\"\(made["GrantToken"])\",\"DryRun\":true}", as: Self.role("retirer")
            )
            .error == "DryRunOperationException")
        _ = try await bench.ok("RetireGrant", retire, as: Self.role("retirer"))
        #expect(try await bench.call("RetireGrant", retire, as: Self.role("retirer")).error == "NotFoundException")
    }

    @Test("A revoked grant put back into the database is refused")
    func resurrection() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let made = try await bench.ok(
            "CreateGrant",
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/worker\",\"Operations\":[\"Encrypt\"]}"
        )
        _ = try await bench.catalog.write {
            try $0.execute("CREATE TABLE stolen AS SELECT * FROM key_record WHERE kind = 'grant'")
        }
        _ = try await bench.ok("RevokeGrant", "{\"KeyId\":\"\(id)\",\"GrantId\":\"\(made["GrantId"])\"}")
        _ = try await bench.catalog.write { try $0.execute("INSERT INTO key_record SELECT * FROM stolen") }
        let answer = try await bench.call(
            "Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}", as: Self.role("worker"))
        #expect(answer.error == "KMSInternalException")
        #expect(answer.status == 500)
    }

    @Test("Another account needs both sides, and learns nothing about keys it may not use")
    func crossAccount() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let arn = "arn:aws:kms:us-east-1:000000000000:key/\(id)"
        let guest = Principal.root(account: "111122223333", accessKeyID: "AKIAGUEST")
        let request = "{\"KeyId\":\"\(arn)\",\"Plaintext\":\"eA==\"}"
        let none =
            "{\"KeyId\":\"arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab\",\"Plaintext\":\"eA==\"}"
        #expect(try await bench.call("Encrypt", request, as: guest).error == "AccessDeniedException")
        #expect(try await bench.call("Encrypt", none, as: guest).error == "AccessDeniedException")
        #expect(
            try await bench.call("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}", as: guest).error
                == "NotFoundException")
        let allow =
            "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":[\"kms:Encrypt\",\"kms:Decrypt\"],\"Resource\":\"*\"}"
        _ = try await bench.ok(
            "PutKeyPolicy", "{\"KeyId\":\"\(id)\",\"Policy\":\(try Self.quoted(Self.policy(allow)))}")
        let sealed = try await bench.ok("Encrypt", request, as: guest)["CiphertextBlob"]
        _ = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}", as: guest)
        #expect(
            try await bench.call("Encrypt", request, as: Self.role("r", account: "111122223333")).error
                == "AccessDeniedException")
        #expect(
            try await bench.call("DisableKey", "{\"KeyId\":\"\(arn)\"}", as: guest).error == "AccessDeniedException")
        // Re-encrypting into one's own key is reading: it needs permission on the source.
        let own = try await bench.ok("CreateKey", "{}", as: guest).metadata("KeyId")
        let allowTo =
            "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":[\"kms:Encrypt\"],\"Resource\":\"*\"}"
        _ = try await bench.ok(
            "PutKeyPolicy", "{\"KeyId\":\"\(id)\",\"Policy\":\(try Self.quoted(Self.policy(allowTo)))}")
        #expect(
            try await bench.call(
                "ReEncrypt", "{\"CiphertextBlob\":\"\(sealed)\",\"DestinationKeyId\":\"\(own)\"}", as: guest
            ).error
                == "AccessDeniedException")
    }

    @Test("AWS-managed keys serve their service only and are not managed by tenants")
    func managedKeys() async throws {
        let bench = try await KMSBench()
        let described = try await bench.ok("DescribeKey", "{\"KeyId\":\"alias/aws/s3\"}")
        #expect(described.metadata("KeyManager") == "AWS")
        let id = described.metadata("KeyId")
        for (operation, member) in [
            ("Encrypt", ",\"Plaintext\":\"eA==\""), ("DisableKey", ""), ("ScheduleKeyDeletion", ""),
            ("RotateKeyOnDemand", ""),
        ] {
            #expect(
                try await bench.call(operation, "{\"KeyId\":\"\(id)\"\(member)}").error == "AccessDeniedException",
                "\(operation)")
        }
        #expect(
            try await bench.ok("GetKeyRotationStatus", "{\"KeyId\":\"\(id)\"}").body["KeyRotationEnabled"]
                == .bool(true))
    }

    @Test(
        "Wildcards match as IAM's do",
        arguments: [
            ("*", "", true), ("a*c", "abbc", true), ("a?c", "abc", true), ("a?c", "ac", false),
            ("a*b*c", "axbyc", true),
            ("a*b*c", "axyc", false), ("kms:enc*", "kms:encrypt", true),
        ])
    func wildcards(pattern: String, text: String, expected: Bool) {
        #expect(Wildcard.matches(pattern, text) == expected)
    }

    @Test(
        "Malformed policies are refused with the reason",
        arguments: [
            "[]", "{}", "{\"Statement\":[]}",
            "{\"Statement\":[{\"Effect\":\"Maybe\",\"Principal\":\"*\",\"Action\":\"*\"}]}",
            "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\"}]}",
            "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\"}]}",
            "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Condition\":{\"Sometimes\":{\"a\":\"b\"}}}]}",
            "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"nobody\"},\"Action\":\"kms:*\"}]}",
        ])
    func malformedPolicies(text: String) {
        #expect(throws: KeyError.self) { try KeyPolicy(parsing: text) }
    }
    @Test("A grant to the account gives a limited session no more than the session's own limits")
    func accountGrantsAndSessions() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        _ = try await bench.ok(
            "CreateGrant",
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:root\",\"Operations\":[\"Encrypt\",\"Decrypt\",\"CreateGrant\",\"RetireGrant\"]}"
        )
        let plain = "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}"
        // A job's credentials are such a session: what the account was granted is not for every job.
        let job = Self.role("coffer-job", actions: ["s3:GetObject"])
        #expect(try await bench.call("Encrypt", plain, as: job).error == "AccessDeniedException")
        let regrant =
            "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/next\",\"Operations\":[\"Decrypt\"]}"
        #expect(try await bench.call("CreateGrant", regrant, as: job).error == "AccessDeniedException")
        _ = try await bench.ok("Encrypt", plain, as: Self.role("coffer-job", actions: ["kms:Encrypt"]))
        _ = try await bench.ok("Encrypt", plain)
        // Nor may the session end the account's grant.
        let grants = try await bench.ok("ListGrants", "{\"KeyId\":\"\(id)\"}")
        let grantID = try #require(grants.list("Grants").first?["GrantId"]?.stringValue)
        let retire =
            "{\"KeyId\":\"arn:aws:kms:us-east-1:000000000000:key/\(id)\",\"GrantId\":\"\(grantID)\"}"
        #expect(try await bench.call("RetireGrant", retire, as: job).error == "AccessDeniedException")
        _ = try await bench.ok("RetireGrant", retire, as: Self.role("coffer-job", actions: ["kms:RetireGrant"]))
    }
}
