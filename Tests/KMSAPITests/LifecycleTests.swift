import AWSProtocol
import Catalog
import Cryptography
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// What time and owners do to keys.
@Suite struct LifecycleTests {
    @Test("Deletion waits, can be cancelled, and then destroys key, aliases, grants and ciphertexts")
    func deletion() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        _ = try await bench.ok("CreateAlias", "{\"AliasName\":\"alias/mine\",\"TargetKeyId\":\"\(id)\"}")
        let sealed = try await bench.ok("Encrypt", "{\"KeyId\":\"alias/mine\",\"Plaintext\":\"eA==\"}")[
            "CiphertextBlob"]
        let scheduled = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}")
        #expect(scheduled["KeyState"] == "PendingDeletion")
        bench.advance(days: 6)
        _ = try await bench.ok("CancelKeyDeletion", "{\"KeyId\":\"\(id)\"}")
        #expect(try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}").metadata("KeyState") == "Disabled")
        _ = try await bench.ok("EnableKey", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
        _ = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}")
        bench.advance(days: 7.01)
        #expect(try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}").error == "NotFoundException")
        #expect(try await bench.call("DescribeKey", "{\"KeyId\":\"alias/mine\"}").error == "NotFoundException")
        #expect(try await bench.call("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}").error == "AccessDeniedException")
        let left = try await bench.catalog.read { try $0.rows("SELECT * FROM key_backing WHERE key_id = ?", id).count }
        #expect(left == 0)
        let again = try await bench.ok("ListAliases", "{\"Limit\":100}").list("Aliases")
        #expect(!again.contains { $0["AliasName"]?.stringValue == "alias/mine" })
        _ = try await bench.ok(
            "CreateAlias", "{\"AliasName\":\"alias/mine\",\"TargetKeyId\":\"\(try await bench.key())\"}")
    }

    @Test("Rotation keeps old ciphertexts readable and lists its history")
    func rotation() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let first = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")["CiphertextBlob"]
        _ = try await bench.ok("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.ok("EnableKeyRotation", "{\"KeyId\":\"\(id)\",\"RotationPeriodInDays\":90}")
        let status = try await bench.ok("GetKeyRotationStatus", "{\"KeyId\":\"\(id)\"}")
        #expect(status.body["KeyRotationEnabled"] == .bool(true))
        #expect(status.body["RotationPeriodInDays"] == .integer(90))
        bench.advance(days: 91)
        let second = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eQ==\"}")["CiphertextBlob"]
        bench.advance(days: 200)
        for (blob, text) in [(first, "x"), (second, "y")] {
            #expect(
                try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(blob)\"}").bytes("Plaintext") == Array(text.utf8)
            )
        }
        let rotations = try await bench.ok("ListKeyRotations", "{\"KeyId\":\"\(id)\"}").list("Rotations")
        #expect(rotations.map { $0["RotationType"]?.stringValue } == ["ON_DEMAND", "AUTOMATIC", "AUTOMATIC"])
        let all = try await bench.ok(
            "ListKeyRotations", "{\"KeyId\":\"\(id)\",\"IncludeKeyMaterial\":\"ALL_KEY_MATERIAL\"}")
        #expect(all.list("Rotations").count == 4)
        #expect(all.list("Rotations").filter { $0["KeyMaterialState"]?.stringValue == "CURRENT" }.count == 1)
        for _ in 1..<25 { _ = try await bench.ok("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}") }
        #expect(try await bench.call("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}").error == "LimitExceededException")
    }

    private func material(
        _ bench: KMSBench, _ id: String, _ secret: SecretBytes, algorithm: String = "RSAES_OAEP_SHA_256"
    ) async throws -> String {
        let parameters = try await bench.ok(
            "GetParametersForImport",
            "{\"KeyId\":\"\(id)\",\"WrappingAlgorithm\":\"\(algorithm)\",\"WrappingKeySpec\":\"RSA_2048\"}")
        let wrapping = try AsymmetricPublicKey(subjectPublicKeyInfo: parameters.bytes("PublicKey"))
        var encrypted: [UInt8]
        if algorithm.hasPrefix("RSA_AES") {
            let ephemeral = SecretBytes.random(count: 32)
            encrypted = try wrapping.encryptOAEP(ephemeral, hash: .sha256)
            encrypted += try AESKeyWrapPadded.wrap(secret, under: ephemeral)
        } else {
            encrypted = try wrapping.encryptOAEP(secret, hash: .sha256)
        }
        return
            "\"KeyId\":\"\(id)\",\"ImportToken\":\"\(parameters["ImportToken"])\",\"EncryptedKeyMaterial\":\"\(Base64.encode(encrypted))\""
    }

    @Test("Imported material works, expires, comes back only as itself, and rotates when its owner brings more")
    func importing() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key(origin: "EXTERNAL")
        #expect(try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}").metadata("KeyState") == "PendingImport")
        let secret = SecretBytes.random(count: 32)
        let forever = "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""
        let end = bench.now.timeIntervalSince1970 + 10 * 86_400
        let first = try await material(bench, id, secret)
        #expect(try await bench.call("ImportKeyMaterial", "{\(first)}").error == "ValidationException")
        let imported = try await bench.ok("ImportKeyMaterial", "{\(first),\"ValidTo\":\(end)}")
        let sealed = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")["CiphertextBlob"]
        bench.advance(days: 11)
        #expect(try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}").metadata("KeyState") == "PendingImport")
        #expect(
            try await bench.call("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}").error == "KMSInvalidStateException")
        let expired = try await bench.call("ImportKeyMaterial", "{\(first),\(forever)}")
        #expect(expired.error == "ExpiredImportTokenException")
        let foreign = try await material(bench, id, .random(count: 32))
        #expect(
            try await bench.call("ImportKeyMaterial", "{\(foreign),\(forever)}").error
                == "IncorrectKeyMaterialException")
        let again = try await bench.ok("ImportKeyMaterial", "{\(try await material(bench, id, secret)),\(forever)}")
        #expect(again["KeyMaterialId"] == imported["KeyMaterialId"])
        _ = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
        // A second material waits until it is rotated to.
        #expect(try await bench.call("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}").error == "KMSInvalidStateException")
        let more = try await material(bench, id, .random(count: 32))
        _ = try await bench.ok("ImportKeyMaterial", "{\(more),\(forever),\"ImportType\":\"NEW_KEY_MATERIAL\"}")
        _ = try await bench.ok("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
        _ = try await bench.ok("DeleteImportedKeyMaterial", "{\"KeyId\":\"\(id)\"}")
        #expect(try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}").metadata("KeyState") == "PendingImport")
        // A token serves the key it was made for.
        let other = try await bench.key(origin: "EXTERNAL")
        let swapped = (try await material(bench, id, secret)).replacing(id, with: other)
        #expect(
            try await bench.call("ImportKeyMaterial", "{\(swapped),\(forever)}").error == "InvalidImportTokenException")
        var broken = try await material(bench, other, secret)
        broken = broken.replacing("\"EncryptedKeyMaterial\":\"", with: "\"EncryptedKeyMaterial\":\"AAAA")
        #expect(
            try await bench.call("ImportKeyMaterial", "{\(broken),\(forever)}").error == "InvalidCiphertextException")
    }

    @Test("Private keys are imported through the AES key wrap")
    func importingPrivateKeys() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key("RSA_2048", usage: "SIGN_VERIFY", origin: "EXTERNAL")
        let own = try AsymmetricPrivateKey.generate(.rsa2048)
        let refused = try await bench.call(
            "GetParametersForImport",
            "{\"KeyId\":\"\(id)\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":\"RSA_2048\"}")
        #expect(refused.error == "UnsupportedOperationException")
        let forever = "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""
        let wrong = try await material(
            bench, id, AsymmetricPrivateKey.generate(.p256).pkcs8(), algorithm: "RSA_AES_KEY_WRAP_SHA_256")
        #expect(
            try await bench.call("ImportKeyMaterial", "{\(wrong),\(forever)}").error == "IncorrectKeyMaterialException")
        let right = try await material(bench, id, own.pkcs8(), algorithm: "RSA_AES_KEY_WRAP_SHA_256")
        _ = try await bench.ok("ImportKeyMaterial", "{\(right),\(forever)}")
        #expect(
            try await bench.ok("GetPublicKey", "{\"KeyId\":\"\(id)\"}").bytes("PublicKey") == own.subjectPublicKeyInfo()
        )
    }

    @Test("Multi-Region keys open each other's ciphertexts, rotate together and exchange roles")
    func multiRegion() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key(multiRegion: true)
        #expect(id.hasPrefix("mrk-"))
        let made = try await bench.ok("ReplicateKey", "{\"KeyId\":\"\(id)\",\"ReplicaRegion\":\"eu-west-1\"}")
        #expect(made.body["ReplicaKeyMetadata"]?["KeyState"]?.stringValue == "Creating")
        let again = try await bench.call("ReplicateKey", "{\"KeyId\":\"\(id)\",\"ReplicaRegion\":\"eu-west-1\"}")
        #expect(again.error == "AlreadyExistsException")
        _ = try await bench.ok("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}")
        let sealed = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")["CiphertextBlob"]
        let opened = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}", region: "eu-west-1")
        #expect(opened["KeyId"] == "arn:aws:kms:eu-west-1:000000000000:key/\(id)")
        let replicaRotation = try await bench.call("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}", region: "eu-west-1")
        #expect(replicaRotation.error == "UnsupportedOperationException")
        let scheduled = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\"}")
        #expect(scheduled["KeyState"] == "PendingReplicaDeletion")
        _ = try await bench.ok("CancelKeyDeletion", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.ok("EnableKey", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.ok("UpdatePrimaryRegion", "{\"KeyId\":\"\(id)\",\"PrimaryRegion\":\"eu-west-1\"}")
        let described = try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}")
        #expect(
            described.body["KeyMetadata"]?["MultiRegionConfiguration"]?["MultiRegionKeyType"]?.stringValue == "REPLICA")
        #expect(described.metadata("KeyState") == "Enabled")
        _ = try await bench.ok("RotateKeyOnDemand", "{\"KeyId\":\"\(id)\"}", region: "eu-west-1")
        // The old primary is a replica now and may go first.
        _ = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}")
        _ = try await bench.ok(
            "ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}", region: "eu-west-1")
        bench.advance(days: 8)
        #expect(try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}").error == "NotFoundException")
        #expect(
            try await bench.ok("DescribeKey", "{\"KeyId\":\"\(id)\"}", region: "eu-west-1").metadata("KeyState")
                == "PendingDeletion")
        bench.advance(days: 8)
        try await bench.keys.maintain()
        #expect(
            try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}", region: "eu-west-1").error
                == "NotFoundException")
    }

    @Test("Disabling a key stops reads and writes of its artifacts at once")
    func artifacts() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let scope = AccountRegion(account: KMSBench.account, region: KMSBench.region)
        let reference = try await bench.keys.resolveKey(id, in: scope)
        let domain = try await bench.keys.dedupDomain(for: .key(reference))
        let (_, envelope) = try await bench.keys.createEnvelope(
            artifactID: SecureRandom.bytes(16), for: reference, context: [:])
        _ = try await bench.ok("DisableKey", "{\"KeyId\":\"\(id)\"}")
        await #expect(throws: KeyError.self) { try await bench.keys.dedupDomain(for: .key(reference)) }
        await #expect(throws: KeyError.self) { try await bench.keys.dedupDomain(id: domain.id, epoch: 1) }
        await #expect(throws: KeyError.self) { try await bench.keys.openEnvelope(envelope) }
        _ = try await bench.ok("EnableKey", "{\"KeyId\":\"\(id)\"}")
        _ = try await bench.keys.openEnvelope(envelope)
        #expect(try await bench.keys.dedupDomain(for: .key(reference)).id == domain.id)
        _ = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}")
        bench.advance(days: 8)
        await #expect(throws: KeyError.self) { try await bench.keys.openEnvelope(envelope) }
        await #expect(throws: KeyError.self) { try await bench.keys.dedupDomain(id: domain.id, epoch: 1) }
    }
}
