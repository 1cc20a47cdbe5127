import AWSProtocol
import AccessControl
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// A request that is wrong in several ways is refused for the first of them, in an order that never changes: shape, key,
/// permission, usage, state, dry run, cryptography.
@Suite struct CheckOrderTests {
    private enum Defect: String, CaseIterable {
        case shape = "ValidationException"
        case missing = "NotFoundException"
        case denied = "AccessDeniedException"
        case usage = "InvalidKeyUsageException"
        case state = "DisabledException"
        case dry = "DryRunOperationException"
    }

    @Test("Of any set of defects the first decides") func order() async throws {
        let bench = try await KMSBench()
        var keys: [[Bool]: String] = [:]
        for isMAC in [false, true] {
            for isDisabled in [false, true] {
                let id =
                    isMAC ? try await bench.key("HMAC_256", usage: "GENERATE_VERIFY_MAC") : try await bench.key()
                if isDisabled { _ = try await bench.ok("DisableKey", "{\"KeyId\":\"\(id)\"}") }
                keys[[isMAC, isDisabled]] = id
            }
        }
        let (good, large) = (base64("x"), base64(String(repeating: "x", count: 4097)))
        for set in 0..<1 << Defect.allCases.count {
            let defects = Defect.allCases.enumerated().filter { set >> $0.offset & 1 == 1 }.map(\.element)
            func has(_ defect: Defect) -> Bool { defects.contains(defect) }
            let known = try #require(keys[[has(.usage), has(.state)]])
            let id = has(.missing) ? "00000000-0000-4000-8000-000000000000" : known
            let answer = try await bench.call(
                "Encrypt",
                "{\"KeyId\":\"\(id)\",\"Plaintext\":\"\(has(.shape) ? large : good)\",\"DryRun\":\(has(.dry))}",
                as: has(.denied) ? AuthorizationTests.role("nobody") : nil)
            #expect(answer.error == defects.first?.rawValue, "\(defects)")
        }
    }

    @Test("A dry run looks at the ciphertext unless it is told not to") func dryRun() async throws {
        let bench = try await KMSBench()
        let id = try await bench.key()
        let made = try await bench.ok("Encrypt", "{\"KeyId\":\"\(id)\",\"Plaintext\":\"\(base64("x"))\"}")
        let blob = "\"CiphertextBlob\":\"\(made["CiphertextBlob"])\",\"DryRun\":true"
        let wrong = "\(blob),\"KeyId\":\"\(id)\",\"EncryptionContext\":{\"a\":\"b\"}"
        #expect(try await bench.call("Decrypt", "{\(blob)}").error == "DryRunOperationException")
        #expect(try await bench.call("Decrypt", "{\(wrong)}").error == "InvalidCiphertextException")
        let ignoring = "{\(wrong),\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}"
        #expect(try await bench.call("Decrypt", ignoring).error == "DryRunOperationException")
    }
}
