import AWSProtocol
import Cryptography
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// The table of key states and operations, every cell executed through the API.
@Suite struct StateMatrixTests {
    static let states: [KMSKeyState] = [
        .enabled, .disabled, .pendingDeletion, .pendingImport, .unavailable, .creating, .updating,
    ]

    /// `ok`, D = DisabledException, S = KMSInvalidStateException, U = UnsupportedOperationException, - = cannot occur.
    /// Columns: Enabled Disabled PendingDeletion PendingImport Unavailable Creating Updating.
    static let rows: [(kind: String, operations: [String], cells: String)] = [
        (
            "symmetric",
            [
                "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
                "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
            ], "ok D S S S S ok"
        ),
        ("mac", ["GenerateMac", "VerifyMac"], "ok D S S S S ok"),
        ("signing", ["Sign", "Verify", "GetPublicKey"], "ok D S S S S ok"),
        ("agreement", ["DeriveSharedSecret"], "ok D S S S S ok"),
        ("symmetric", ["CreateGrant"], "ok D S S ok S ok"),
        ("symmetric", ["CancelKeyDeletion"], "S S ok S S S S"),
        ("symmetric", ["EnableKey", "DisableKey"], "ok ok S S ok S S"),
        ("symmetric", ["EnableKeyRotation", "DisableKeyRotation"], "ok D S - U S ok"),
        ("external", ["EnableKeyRotation", "DisableKeyRotation"], "U U U U U U U"),
        (
            "signing", ["EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "ListKeyRotations"],
            "U U U - U U U"
        ),
        ("symmetric", ["RotateKeyOnDemand"], "ok D S S U S S"),
        ("mac", ["RotateKeyOnDemand", "GetKeyRotationStatus"], "U U U U U U U"),
        ("symmetric", ["GetKeyRotationStatus", "ListKeyRotations"], "ok ok ok ok U ok ok"),
        ("external", ["GetParametersForImport"], "ok ok S ok U S S"),
        ("symmetric", ["GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"], "U U U U U U U"),
        ("external", ["ImportKeyMaterial"], "ok ok S ok U S ok"),
        ("external", ["DeleteImportedKeyMaterial"], "ok ok ok ok - S S"),
        ("symmetric", ["ScheduleKeyDeletion"], "ok ok S ok ok ok S"),
        (
            "symmetric", ["CreateAlias", "UpdateAlias", "TagResource", "UntagResource", "UpdateKeyDescription"],
            "ok ok S ok ok ok ok"
        ),
        ("multi", ["ReplicateKey"], "ok D S S - S S"),
        ("multi", ["UpdatePrimaryRegion"], "ok D S S - S ok"),
        (
            "symmetric",
            [
                "DescribeKey", "GetKeyPolicy", "PutKeyPolicy", "ListAliases", "ListGrants", "ListKeyPolicies",
                "ListResourceTags", "RetireGrant", "RevokeGrant", "DeleteAlias", "GetKeyLastUsage",
            ], "ok ok ok ok ok ok ok"
        ),
    ]

    @Test("Every operation answers in every state as the table says")
    func matrix() async throws {
        let bench = try await KMSBench()
        let fixture = try await MatrixFixture(bench)
        var executed = 0
        for row in Self.rows {
            let cells = row.cells.split(separator: " ").map(String.init)
            for (state, expected) in zip(Self.states, cells) where expected != "-" {
                for operation in row.operations {
                    let document = try await fixture.prepare(operation, row.kind, state)
                    let answer = try await bench.call(operation, document)
                    let wanted: String? =
                        switch expected {
                        case "D": "DisabledException"
                        case "S": "KMSInvalidStateException"
                        case "U": "UnsupportedOperationException"
                        default: nil
                        }
                    #expect(
                        answer.error == wanted,
                        "\(operation) on a \(row.kind) key in \(state.rawValue): \(answer.error ?? "ok") \(answer.message)"
                    )
                    executed += 1
                }
            }
        }
        #expect(executed > 300)
    }
}

/// Keys of all kinds, and a valid request of each operation for them.
private struct MatrixFixture {
    let bench: KMSBench
    var snapshots: [String: KMSKey] = [:]
    let blob: String
    let mac: String
    let signature: String
    let peer: String

    init(_ bench: KMSBench) async throws {
        self.bench = bench
        let scope = AccountRegion(account: KMSBench.account, region: KMSBench.region)
        let ids = [
            "symmetric": try await bench.key(), "mac": try await bench.key("HMAC_256", usage: "GENERATE_VERIFY_MAC"),
            "signing": try await bench.key("ECC_NIST_P256", usage: "SIGN_VERIFY"),
            "agreement": try await bench.key("ECC_NIST_P256", usage: "KEY_AGREEMENT"),
            "external": try await bench.key(origin: "EXTERNAL"), "multi": try await bench.key(multiRegion: true),
        ]
        _ = try await bench.ok("ReplicateKey", "{\"KeyId\":\"\(ids["multi"] ?? "")\",\"ReplicaRegion\":\"eu-west-1\"}")
        for (kind, id) in ids { snapshots[kind] = try await bench.keys.key(scope, id) }
        blob = try await bench.ok(
            "Encrypt", "{\"KeyId\":\"\(ids["symmetric"] ?? "")\",\"Plaintext\":\"\(base64("x"))\"}")["CiphertextBlob"]
        mac = try await bench.ok(
            "GenerateMac",
            "{\"KeyId\":\"\(ids["mac"] ?? "")\",\"Message\":\"\(base64("m"))\",\"MacAlgorithm\":\"HMAC_SHA_256\"}")[
                "Mac"]
        signature = try await bench.ok(
            "Sign",
            "{\"KeyId\":\"\(ids["signing"] ?? "")\",\"Message\":\"\(base64("m"))\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}"
        )["Signature"]
        peer = Base64.encode(try AsymmetricPrivateKey.generate(.p256).subjectPublicKeyInfo())
    }

    /// Restores the key, brings it into the state, and writes a request that only the state can refuse.
    func prepare(_ operation: String, _ kind: String, _ state: KMSKeyState) async throws -> String {
        let key = try #require(snapshots[kind])
        try await bench.force(key, .enabled)
        let id = key.keyID
        var members: [String: String] = ["KeyId": id]
        var raw = ""
        switch operation {
        case "Encrypt": members["Plaintext"] = base64("x")
        case "Decrypt": members["CiphertextBlob"] = blob
        case "ReEncrypt": members = ["CiphertextBlob": blob, "DestinationKeyId": id]
        case "GenerateDataKey", "GenerateDataKeyWithoutPlaintext": members["KeySpec"] = "AES_256"
        case "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext": members["KeyPairSpec"] = "ECC_NIST_P256"
        case "GenerateMac": members.merge(["Message": base64("m"), "MacAlgorithm": "HMAC_SHA_256"]) { $1 }
        case "VerifyMac": members.merge(["Message": base64("m"), "MacAlgorithm": "HMAC_SHA_256", "Mac": mac]) { $1 }
        case "Sign": members.merge(["Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256"]) { $1 }
        case "Verify":
            members.merge(["Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256", "Signature": signature]) { $1 }
        case "DeriveSharedSecret": members.merge(["KeyAgreementAlgorithm": "ECDH", "PublicKey": peer]) { $1 }
        case "CreateGrant":
            members["GranteePrincipal"] = "arn:aws:iam::000000000000:role/r"
            raw = ",\"Operations\":[\"Encrypt\"]"
        case "CreateAlias": members = ["AliasName": "alias/\(UUID().uuidString)", "TargetKeyId": id]
        case "UpdateAlias", "DeleteAlias":
            let name = "alias/\(UUID().uuidString)"
            _ = try await bench.ok("CreateAlias", "{\"AliasName\":\"\(name)\",\"TargetKeyId\":\"\(id)\"}")
            members = ["AliasName": name]
            if operation == "UpdateAlias" { members["TargetKeyId"] = id }
        case "RetireGrant", "RevokeGrant":
            let grant = try await bench.ok(
                "CreateGrant",
                "{\"KeyId\":\"\(id)\",\"GranteePrincipal\":\"arn:aws:iam::000000000000:role/r\",\"Operations\":[\"Encrypt\"]}"
            )
            members =
                operation == "RetireGrant"
                ? ["GrantToken": grant["GrantToken"]] : ["KeyId": id, "GrantId": grant["GrantId"]]
        case "TagResource": raw = ",\"Tags\":[{\"TagKey\":\"k\",\"TagValue\":\"v\"}]"
        case "UntagResource": raw = ",\"TagKeys\":[\"k\"]"
        case "UpdateKeyDescription": members["Description"] = "d"
        case "PutKeyPolicy":
            raw = ",\"Policy\":\(try quoted(key.policy))"
        case "GetParametersForImport":
            members.merge(["WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"]) { $1 }
        case "ImportKeyMaterial":
            if kind == "external" { return try await importRequest(key, state) }
            members.merge(["ImportToken": base64("t"), "EncryptedKeyMaterial": base64("m")]) { $1 }
            raw = ",\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""
        case "ReplicateKey":
            // A Region that has no replica yet.
            members["ReplicaRegion"] = "eu-test-\(UInt32.random(in: 1...UInt32.max))"
        case "UpdatePrimaryRegion": members["PrimaryRegion"] = "eu-west-1"
        default: break
        }
        try await bench.force(key, state)
        let fields = members.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        return "{\(fields)\(raw)}"
    }

    private func quoted(_ text: String) throws -> String { String(decoding: try AWSJSON.encode(text), as: UTF8.self) }

    private func importRequest(_ key: KMSKey, _ state: KMSKeyState) async throws -> String {
        try await bench.force(key, .pendingImport)
        let parameters = try await bench.ok(
            "GetParametersForImport",
            "{\"KeyId\":\"\(key.keyID)\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":\"RSA_2048\"}"
        )
        let wrapping = try AsymmetricPublicKey(subjectPublicKeyInfo: parameters.bytes("PublicKey"))
        let material = Base64.encode(try wrapping.encryptOAEP(.random(count: 32), hash: .sha256))
        try await bench.force(key, state)
        return "{\"KeyId\":\"\(key.keyID)\",\"ImportToken\":\"\(parameters["ImportToken"])\","
            + "\"EncryptedKeyMaterial\":\"\(material)\",\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\"}"
    }
}
