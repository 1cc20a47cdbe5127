import Catalog
import Cryptography
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

@Suite("A clock that jumps neither hastens an end nor takes it back")
struct ClockJumpTests {
    private static func state(_ bench: KMSBench, _ id: String) async throws -> String {
        let answer = try await bench.call("DescribeKey", "{\"KeyId\":\"\(id)\"}")
        return answer.error ?? answer.metadata("KeyState")
    }

    @Test("of a key that is to be deleted")
    func deletion() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let sealed = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")["CiphertextBlob"]
        _ = try await bench.ok("ScheduleKeyDeletion", "{\"KeyId\":\"\(id)\",\"PendingWindowInDays\":7}")
        // Back behind its creation, and just before its end.
        for days in [-30.0, 30, 6.99] {
            bench.advance(days: days)
            #expect(try await Self.state(bench, id) == "PendingDeletion")
            let opened = try await bench.call("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
            #expect(opened.error == "KMSInvalidStateException")
        }
        for days in [0.02, -20, -300] {
            bench.advance(days: days)
            #expect(try await Self.state(bench, id) == "NotFoundException")
            let opened = try await bench.call("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
            #expect(opened.error == "AccessDeniedException")
        }
        let left = try await bench.catalog.read { try $0.rows("SELECT * FROM key_backing WHERE key_id = ?", id).count }
        #expect(left == 0)
    }

    @Test("of imported material")
    func material() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key(origin: "EXTERNAL")
        let parameters = try await bench.ok(
            "GetParametersForImport",
            "{\"KeyId\":\"\(id)\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":\"RSA_2048\"}")
        let wrapping = try AsymmetricPublicKey(subjectPublicKeyInfo: parameters.bytes("PublicKey"))
        let encrypted = Base64.encode(try wrapping.encryptOAEP(.random(count: 32), hash: .sha256))
        let document =
            "\"KeyId\":\"\(id)\",\"ImportToken\":\"\(parameters["ImportToken"])\",\"EncryptedKeyMaterial\":\"\(encrypted)\""
        let end = bench.now.timeIntervalSince1970 + 10 * 86_400
        _ = try await bench.ok("ImportKeyMaterial", "{\(document),\"ValidTo\":\(end)}")
        let sealed = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"eA==\"}")["CiphertextBlob"]
        for days in [-30.0, 30, 9.99] {
            bench.advance(days: days)
            #expect(try await Self.state(bench, id) == "Enabled")
            let opened = try await bench.ok("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
            #expect(opened["Plaintext"] == "eA==")
        }
        for days in [0.02, -5, -300] {
            bench.advance(days: days)
            #expect(try await Self.state(bench, id) == "PendingImport")
            let opened = try await bench.call("Decrypt", "{\"CiphertextBlob\":\"\(sealed)\"}")
            #expect(opened.error == "KMSInvalidStateException")
        }
    }
}
