import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import HTTPTypes
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// Attacks on the KMS interface: forged claims, oracles and oversized requests.
@Suite struct AttackTests {
    @Test("kms:ViaService cannot be claimed by a client, in whatever header, member or context") func forgedViaService()
        async throws
    {
        let bench = try await KMSBench()
        let id = try await bench.ok("DescribeKey", "{\"KeyId\":\"alias/aws/s3\"}").metadata("KeyId")
        let claim = "s3.us-east-1.amazonaws.com"
        let document =
            "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\",\"kms:ViaService\":\"\(claim)\","
            + "\"EncryptionContext\":{\"kms:ViaService\":\"\(claim)\",\"ViaService\":\"\(claim)\"}}"
        for name in [
            "kms:ViaService", "kms-viaservice", "x-amz-via-service", "x-amzn-via-service", "aws:viaawsservice", "via",
            "x-amz-source-service", "x-amz-forwarded-service",
        ] {
            var headers = HTTPFields()
            headers[try #require(HTTPField.Name("x-amz-target"))] = "TrentService.Encrypt"
            guard let field = HTTPField.Name(name) else { continue }
            headers[field] = claim
            let request = ServiceRequest(
                method: "POST", path: "/", headers: headers, body: RequestBody(bytes: Array(document.utf8)),
                receivedAt: bench.now, principal: bench.root, region: KMSBench.region)
            let response = await bench.front.respond(to: request)
            let text = String(decoding: try await response.body.collect(upTo: 1 << 16), as: UTF8.self)
            #expect(response.status == 400)
            #expect(text.contains("AccessDeniedException"), "\(name): \(text)")
        }
    }

    @Test("another account cannot tell keys that exist from keys that do not, whatever it tries")
    func foreignKeysLookAlike()
        async throws
    {
        let bench = try await KMSBench()
        let id = try await bench.key()
        _ = try await bench.ok("CreateAlias", "{\"AliasName\":\"alias/there\",\"TargetKeyId\":\"\(id)\"}")
        _ = try await bench.ok("DisableKey", "{\"KeyId\":\"\(id)\"}")
        let enabled = try await bench.key()
        let guest = Principal.root(account: "111122223333", accessKeyID: "AKIAGUEST")
        let prefix = "arn:aws:kms:us-east-1:000000000000:"
        let names = [
            "key/\(id)", "key/\(enabled)", "key/1234abcd-12ab-34cd-56ef-1234567890ab", "alias/there", "alias/nothing",
            "alias/aws/s3",
        ]
        for (operation, members) in [
            ("Encrypt", ",\"Plaintext\":\"eA==\""), ("GenerateDataKey", ",\"KeySpec\":\"AES_256\""),
            ("DescribeKey", ""), ("GetPublicKey", ""),
            ("Sign", ",\"Message\":\"eA==\",\"SigningAlgorithm\":\"ECDSA_SHA_256\""),
            ("GenerateMac", ",\"Message\":\"eA==\",\"MacAlgorithm\":\"HMAC_SHA_256\""),
        ] {
            var answers: Set<String> = []
            for name in names {
                let answer = try await bench.call(operation, "{\"KeyId\":\"\(prefix)\(name)\"\(members)}", as: guest)
                answers.insert("\(answer.status) \(answer.error ?? "ok") \(answer.message)")
            }
            #expect(answers.count == 1, "\(operation): \(answers)")
            #expect(answers.first?.contains("AccessDeniedException") == true)
        }
        #expect(
            try await bench.keys.alias(AccountRegion(account: KMSBench.account, region: "us-east-1"), "alias/aws/s3")
                == nil)
    }

    @Test("whatever is wrong with encrypted key material, the answer is the same") func importOracle() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key(origin: "EXTERNAL")
        let parameters = try await bench.ok(
            "GetParametersForImport",
            "{\"KeyId\":\"\(id)\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":\"RSA_2048\"}")
        let wrapping = try AsymmetricPublicKey(subjectPublicKeyInfo: parameters.bytes("PublicKey"))
        let good = try wrapping.encryptOAEP(.random(count: 32), hash: .sha256)
        var variants: [[UInt8]] = [
            SecureRandom.bytes(256), [UInt8](repeating: 0, count: 256), [UInt8](repeating: 0xFF, count: 256),
            [0] + SecureRandom.bytes(255), Array(good.dropLast()), good + [0], [1],
            try wrapping.encryptOAEP(.random(count: 32), hash: .sha1),
        ]
        for position in [0, 1, 100, 255] {
            var changed = good
            changed[position] ^= 0x40
            variants.append(changed)
        }
        var answers: Set<String> = []
        for bytes in variants {
            let answer = try await bench.call(
                "ImportKeyMaterial",
                "{\"KeyId\":\"\(id)\",\"ImportToken\":\"\(parameters["ImportToken"])\",\"ExpirationModel\":"
                    + "\"KEY_MATERIAL_DOES_NOT_EXPIRE\",\"EncryptedKeyMaterial\":\"\(Base64.encode(bytes))\"}")
            answers.insert("\(answer.status) \(answer.error ?? "ok") \(answer.message)")
        }
        #expect(answers.count == 1, "\(answers)")
        #expect(answers.first?.contains("InvalidCiphertextException") == true)
    }

    @Test("points off the curve, at infinity and on other curves derive nothing") func invalidCurves() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key("ECC_NIST_P256", usage: "KEY_AGREEMENT")
        let valid = try AsymmetricPrivateKey.generate(.p256).publicKey().subjectPublicKeyInfo()
        func derive(_ bytes: [UInt8]) async throws -> String? {
            try await bench.call(
                "DeriveSharedSecret",
                "{\"KeyId\":\"\(id)\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"\(Base64.encode(bytes))\"}"
            ).error
        }
        #expect(try await derive(valid) == nil)
        var offCurve = valid
        offCurve[offCurve.count - 1] ^= 1
        #expect(try await derive(offCurve) == "ValidationException")
        // x = y = 0, and coordinates beyond the field.
        #expect(try await derive(Array(valid.dropLast(64)) + [UInt8](repeating: 0, count: 64)) == "ValidationException")
        #expect(
            try await derive(Array(valid.dropLast(64)) + [UInt8](repeating: 0xFF, count: 64)) == "ValidationException")
        // The point at infinity: a bit string of one zero byte in place of the point.
        let head = Array(valid.dropLast(68))
        var infinity = head + [0x03, 0x02, 0x00, 0x00]
        infinity[1] = UInt8(infinity.count - 2)
        #expect(try await derive(infinity) == "ValidationException")
        for spec in [AsymmetricSpec.p384, .p521, .secp256k1] {
            let other = try AsymmetricPrivateKey.generate(spec).publicKey().subjectPublicKeyInfo()
            #expect(try await derive(other) == "ValidationException")
        }
        #expect(try await derive([]) == "ValidationException")
        #expect(try await derive(Array(valid.prefix(40))) == "ValidationException")
    }

    @Test("oversized and deeply nested requests are refused, and the front goes on answering") func oversized()
        async throws
    {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let megabytes = String(repeating: "QUFB", count: 700_000)
        let nested = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        let statement =
            "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::000000000000:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}"
        let policy =
            "{\"Version\":\"2012-10-17\",\"Statement\":[\(Array(repeating: statement, count: 90_000).joined(separator: ","))]}"
        let context = (0..<2000).map { "\"k\($0)\":\"\(String(repeating: "v", count: 20))\"" }.joined(separator: ",")
        for (operation, document) in [
            ("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"\(megabytes)\"}"),
            ("Decrypt", "{\"CiphertextBlob\":\"\(megabytes)\"}"),
            ("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\",\"EncryptionContext\":\(nested)}"),
            ("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\",\"EncryptionContext\":{\(context)}}"),
            ("PutKeyPolicy", "{\"KeyId\":\"\(id)\",\"Policy\":\(try AuthorizationTests.quoted(policy))}"),
            ("CreateKey", "{\"Policy\":\(try AuthorizationTests.quoted(policy))}"),
            ("CreateKey", "{\"Description\":\"\(megabytes)\"}"),
        ] {
            let answer = try await bench.call(operation, document)
            #expect(
                answer.status >= 400 && answer.status < 500,
                "\(operation): \(answer.status) \(answer.message.prefix(200))")
        }
        _ = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")
    }
}
