import AWSProtocol
import AccessControl
import Cryptography
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

@Suite struct OperationTests {
    @Test("All 54 operations of the model have an implementation")
    func complete() async throws {
        let bench = try await KMSBench()
        #expect(bench.front.supported == Set(KMSShapes.table.operations))
        #expect(bench.front.supported.count == 54)
    }

    @Test("Encrypt, Decrypt and ReEncrypt keep bytes and contexts")
    func encryption() async throws {
        let bench = try await KMSBench()
        let a = try await bench.key()
        let b = try await bench.key()
        let context = "{\"app\":\"one\",\"aws-crypto-public-key\":\"k\"}"
        let sealed = try await bench.ok(
            "Encrypt", "{\"KeyId\":\"\(a)\",\"Plaintext\":\"\(base64("hello"))\",\"EncryptionContext\":\(context)}")
        #expect(sealed["KeyId"].hasPrefix("arn:aws:kms:us-east-1:000000000000:key/"))
        let opened = try await bench.ok(
            "Decrypt", "{\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\",\"EncryptionContext\":\(context)}")
        #expect(opened.bytes("Plaintext") == Array("hello".utf8))
        #expect(opened["KeyId"] == sealed["KeyId"])
        for wrong in ["{}", "{\"app\":\"one\"}", "{\"app\":\"two\",\"aws-crypto-public-key\":\"k\"}"] {
            let refused = try await bench.call(
                "Decrypt", "{\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\",\"EncryptionContext\":\(wrong)}")
            #expect(refused.error == "InvalidCiphertextException")
        }
        let other = try await bench.call(
            "Decrypt",
            "{\"KeyId\":\"\(b)\",\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\",\"EncryptionContext\":\(context)}")
        #expect(other.error == "IncorrectKeyException")
        let moved = try await bench.ok(
            "ReEncrypt",
            "{\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\",\"SourceEncryptionContext\":\(context),\"DestinationKeyId\":\"\(b)\"}"
        )
        let again = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(moved["CiphertextBlob"])\"}")
        #expect(again.bytes("Plaintext") == Array("hello".utf8))
        #expect(again["KeyId"].hasSuffix(b))
        let use = try await bench.ok("GetKeyLastUsage", "{\"KeyId\":\"\(b)\"}")
        #expect(use.body["KeyLastUsage"]?["Operation"]?.stringValue == "Decrypt")
    }

    @Test(
        "Malformed requests are refused with the service's names",
        arguments: [
            ("Encrypt", "{\"KeyId\":\"K\",\"Plaintext\":\"\"}", "ValidationException"),
            (
                "Encrypt", "{\"KeyId\":\"K\",\"Plaintext\":\"\(base64(String(repeating: "x", count: 4097)))\"}",
                "ValidationException"
            ),
            ("Encrypt", "{\"KeyId\":\"missing\",\"Plaintext\":\"eA==\"}", "NotFoundException"),
            ("Encrypt", "{\"KeyId\":\"alias/none\",\"Plaintext\":\"eA==\"}", "NotFoundException"),
            (
                "Encrypt", "{\"KeyId\":\"K\",\"Plaintext\":\"eA==\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"}",
                "InvalidKeyUsageException"
            ),
            (
                "Encrypt", "{\"KeyId\":\"K\",\"Plaintext\":\"eA==\",\"EncryptionContext\":{\"a\":\"1\",\"a\":\"2\"}}",
                "SerializationException"
            ),
            (
                "Encrypt",
                "{\"KeyId\":\"K\",\"Plaintext\":\"eA==\",\"EncryptionContext\":{\"a\":\"1\",\"\\u0061\":\"2\"}}",
                "SerializationException"
            ),
            ("Encrypt", "{\"KeyId\":\"K\",\"Plaintext\":\"eA==\",\"DryRun\":true}", "DryRunOperationException"),
            ("Decrypt", "{\"CiphertextBlob\":\"\(base64("garbage"))\"}", "InvalidCiphertextException"),
            ("Decrypt", "{\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}", "ValidationException"),
            (
                "Decrypt", "{\"KeyId\":\"K\",\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}",
                "DryRunOperationException"
            ),
            ("GenerateDataKey", "{\"KeyId\":\"K\"}", "ValidationException"),
            (
                "GenerateDataKey", "{\"KeyId\":\"K\",\"KeySpec\":\"AES_256\",\"NumberOfBytes\":32}",
                "ValidationException"
            ),
            ("GenerateDataKey", "{\"KeyId\":\"K\",\"NumberOfBytes\":1025}", "ValidationException"),
            ("GenerateDataKeyPair", "{\"KeyId\":\"K\",\"KeyPairSpec\":\"SM2\"}", "UnsupportedOperationException"),
            (
                "GenerateMac", "{\"KeyId\":\"K\",\"Message\":\"eA==\",\"MacAlgorithm\":\"HMAC_SHA_256\"}",
                "InvalidKeyUsageException"
            ),
            (
                "Sign", "{\"KeyId\":\"K\",\"Message\":\"eA==\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
                "InvalidKeyUsageException"
            ),
            ("GetPublicKey", "{\"KeyId\":\"K\"}", "UnsupportedOperationException"),
            ("CreateKey", "{\"KeySpec\":\"ML_DSA_65\",\"KeyUsage\":\"SIGN_VERIFY\"}", "UnsupportedOperationException"),
            ("CreateKey", "{\"KeySpec\":\"RSA_2048\"}", "ValidationException"),
            ("CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"SIGN_VERIFY\"}", "ValidationException"),
            ("CreateKey", "{\"Policy\":\"{}\"}", "MalformedPolicyDocumentException"),
            ("CreateKey", "{\"Tags\":[{\"TagKey\":\"aws:x\",\"TagValue\":\"\"}]}", "TagException"),
            ("CreateKey", "{\"CustomKeyStoreId\":\"cks-1\"}", "CustomKeyStoreNotFoundException"),
            ("ScheduleKeyDeletion", "{\"KeyId\":\"K\",\"PendingWindowInDays\":6}", "ValidationException"),
            ("EnableKeyRotation", "{\"KeyId\":\"K\",\"RotationPeriodInDays\":89}", "ValidationException"),
            ("CreateAlias", "{\"AliasName\":\"name\",\"TargetKeyId\":\"K\"}", "ValidationException"),
            ("CreateAlias", "{\"AliasName\":\"alias/aws/mine\",\"TargetKeyId\":\"K\"}", "NotAuthorizedException"),
            ("ListKeys", "{\"Marker\":\"bm90IG91cnM\"}", "InvalidMarkerException"),
            ("GetKeyPolicy", "{\"KeyId\":\"K\",\"PolicyName\":\"other\"}", "NotFoundException"),
            ("ConnectCustomKeyStore", "{\"CustomKeyStoreId\":\"cks-1\"}", "CustomKeyStoreNotFoundException"),
            ("CreateCustomKeyStore", "{\"CustomKeyStoreName\":\"n\"}", "UnsupportedOperationException"),
            ("RetireGrant", "{\"GrantToken\":\"abc\"}", "InvalidGrantTokenException"),
            ("DescribeKey", "{\"KeyId\":\"arn:aws:kms:us-east-1:000000000000:thing/x\"}", "InvalidArnException"),
        ])
    func refusals(operation: String, document: String, expected: String) async throws {
        let bench = try await KMSBench()
        let id = document.contains("\"K\"") ? try await bench.key() : ""
        let answer = try await bench.call(operation, document.replacing("\"K\"", with: "\"\(id)\""))
        #expect(answer.error == expected, "\(answer.message)")
    }

    @Test("Data keys have the length asked for, and pairs fit together")
    func dataKeys() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        for (request, count) in [
            ("\"KeySpec\":\"AES_128\"", 16), ("\"KeySpec\":\"AES_256\"", 32), ("\"NumberOfBytes\":24", 24),
            ("\"NumberOfBytes\":1024", 1024),
        ] {
            let made = try await bench.ok("GenerateDataKey", "{\"KeyId\":\"\(id)\",\(request)}")
            #expect(made.bytes("Plaintext").count == count)
            let opened = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(made["CiphertextBlob"])\"}")
            #expect(opened.bytes("Plaintext") == made.bytes("Plaintext"))
        }
        let pair = try await bench.ok(
            "GenerateDataKeyPair", "{\"KeyId\":\"\(id)\",\"KeyPairSpec\":\"ECC_NIST_EDWARDS25519\"}")
        let private_ = try AsymmetricPrivateKey(pkcs8: SecretBytes(copying: pair.bytes("PrivateKeyPlaintext")))
        #expect(try private_.subjectPublicKeyInfo() == pair.bytes("PublicKey"))
        let opened = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(pair["PrivateKeyCiphertextBlob"])\"}")
        #expect(opened.bytes("Plaintext") == pair.bytes("PrivateKeyPlaintext"))
        #expect(try await bench.ok("GenerateRandom", "{\"NumberOfBytes\":77}").bytes("Plaintext").count == 77)
    }

    @Test(
        "Signatures verify with the key and outside, and nothing else does",
        arguments: [
            ("ECC_NIST_P256", "ECDSA_SHA_256"), ("ECC_NIST_P384", "ECDSA_SHA_384"), ("ECC_NIST_P521", "ECDSA_SHA_512"),
            ("ECC_SECG_P256K1", "ECDSA_SHA_256"), ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
            ("RSA_2048", "RSASSA_PSS_SHA_384"), ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
        ])
    func signatures(spec: String, algorithm: String) async throws {
        let bench = try await KMSBench()
        let id = try await bench.key(spec, usage: "SIGN_VERIFY")
        let fields = "\"KeyId\":\"\(id)\",\"SigningAlgorithm\":\"\(algorithm)\""
        let signed = try await bench.ok("Sign", "{\(fields),\"Message\":\"\(base64("message"))\"}")
        let verified = try await bench.ok(
            "Verify", "{\(fields),\"Message\":\"\(base64("message"))\",\"Signature\":\"\(signed["Signature"])\"}")
        #expect(verified.body["SignatureValid"] == .bool(true))
        let wrong = try await bench.call(
            "Verify", "{\(fields),\"Message\":\"\(base64("massage"))\",\"Signature\":\"\(signed["Signature"])\"}")
        #expect(wrong.error == "KMSInvalidSignatureException")
        let encoded = try await bench.ok("GetPublicKey", "{\"KeyId\":\"\(id)\"}").bytes("PublicKey")
        let scheme = try #require(KeySpecs.scheme(algorithm))
        #expect(
            try AsymmetricPublicKey(subjectPublicKeyInfo: encoded).isValid(
                signature: signed.bytes("Signature"), for: .message(Array("message".utf8)), scheme))
        if let hash = scheme.hash {
            let digest = Base64.encode(hash.digest(Array("message".utf8)))
            _ = try await bench.ok(
                "Verify",
                "{\(fields),\"MessageType\":\"DIGEST\",\"Message\":\"\(digest)\",\"Signature\":\"\(signed["Signature"])\"}"
            )
            let short = try await bench.call("Sign", "{\(fields),\"MessageType\":\"DIGEST\",\"Message\":\"eA==\"}")
            #expect(short.error == "ValidationException")
        }
    }

    @Test("RSA encryption works within its limits, MACs verify, and agreement gives both sides one secret")
    func otherAlgorithms() async throws {
        let bench = try await KMSBench()
        let rsa = try await bench.key("RSA_2048", usage: "ENCRYPT_DECRYPT")
        for (algorithm, limit) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
            let fields = "\"KeyId\":\"\(rsa)\",\"EncryptionAlgorithm\":\"\(algorithm)\""
            let text = String(repeating: "x", count: limit)
            let sealed = try await bench.ok("Encrypt", "{\(fields),\"Plaintext\":\"\(base64(text))\"}")
            let opened = try await bench.ok("Decrypt", "{\(fields),\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\"}")
            #expect(opened.bytes("Plaintext") == Array(text.utf8))
            let long = try await bench.call("Encrypt", "{\(fields),\"Plaintext\":\"\(base64(text + "x"))\"}")
            #expect(long.error == "ValidationException")
            let nameless = try await bench.call(
                "Decrypt",
                "{\"EncryptionAlgorithm\":\"\(algorithm)\",\"CiphertextBlob\":\"\(sealed["CiphertextBlob"])\"}")
            #expect(nameless.error == "ValidationException")
        }
        for bits in [224, 256, 384, 512] {
            let id = try await bench.key("HMAC_\(bits)", usage: "GENERATE_VERIFY_MAC")
            let fields = "\"KeyId\":\"\(id)\",\"MacAlgorithm\":\"HMAC_SHA_\(bits)\",\"Message\":\"\(base64("m"))\""
            let mac = try await bench.ok("GenerateMac", "{\(fields)}")
            #expect(mac.bytes("Mac").count == bits / 8)
            #expect(
                try await bench.ok("VerifyMac", "{\(fields),\"Mac\":\"\(mac["Mac"])\"}").body["MacValid"] == .bool(true)
            )
            let wrong = Base64.encode([UInt8](repeating: 0, count: bits / 8))
            #expect(
                try await bench.call("VerifyMac", "{\(fields),\"Mac\":\"\(wrong)\"}").error == "KMSInvalidMacException")
        }
        let ecdh = try await bench.key("ECC_NIST_P384", usage: "KEY_AGREEMENT")
        let own = try AsymmetricPrivateKey.generate(.p384)
        let derived = try await bench.ok(
            "DeriveSharedSecret",
            "{\"KeyId\":\"\(ecdh)\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"\(Base64.encode(try own.subjectPublicKeyInfo()))\"}"
        )
        let theirs = try await bench.ok("GetPublicKey", "{\"KeyId\":\"\(ecdh)\"}").bytes("PublicKey")
        let secret = try own.sharedSecret(with: AsymmetricPublicKey(subjectPublicKeyInfo: theirs))
        #expect(secret.withUnsafeBytes { Array($0) } == derived.bytes("SharedSecret"))
        let foreign = Base64.encode(try AsymmetricPrivateKey.generate(.p256).subjectPublicKeyInfo())
        let refused = try await bench.call(
            "DeriveSharedSecret",
            "{\"KeyId\":\"\(ecdh)\",\"KeyAgreementAlgorithm\":\"ECDH\",\"PublicKey\":\"\(foreign)\"}")
        #expect(refused.error == "ValidationException")
    }

    @Test("Lists come in pages whose markers are opaque and bound to their operation")
    func paging() async throws {
        let bench = try await KMSBench()
        var made: Set<String> = []
        for _ in 0..<5 { made.insert(try await bench.key()) }
        var seen: Set<String> = []
        var marker = ""
        repeat {
            let page = try await bench.ok(
                "ListKeys", "{\"Limit\":2\(marker.isEmpty ? "" : ",\"Marker\":\"\(marker)\"")}")
            for key in page.list("Keys") {
                let (isNew, _) = seen.insert(key["KeyId"]?.stringValue ?? "")
                #expect(isNew)
            }
            marker = page["NextMarker"]
            if !marker.isEmpty {
                #expect(
                    try await bench.call("ListAliases", "{\"Marker\":\"\(marker)\"}").error == "InvalidMarkerException")
            }
        } while !marker.isEmpty
        #expect(seen == made)
        let aliases = try await bench.ok("ListAliases", "{\"Limit\":100}").list("Aliases")
        #expect(aliases.contains { $0["AliasName"]?.stringValue == "alias/aws/s3" && $0["TargetKeyId"] == nil })
    }

    @Test("A sealed instance answers 503 to everything, and works again once unsealed")
    func sealed() async throws {
        let bench = try await KMSBench()
        let recovery = try #require(bench.keys.takeRecoveryPassphrase())
        let id = try await bench.key()
        bench.keys.seal()
        for (operation, document) in [
            ("DescribeKey", "{\"KeyId\":\"\(id)\"}"), ("ListKeys", "{}"), ("CreateKey", "{}"),
            ("GenerateRandom", "{\"NumberOfBytes\":1}"), ("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}"),
        ] {
            let answer = try await bench.call(operation, document)
            #expect(answer.error == "DependencyTimeoutException")
            #expect(answer.status == 503)
        }
        try await bench.keys.unseal(passphrase: recovery)
        _ = try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}")
    }
}
