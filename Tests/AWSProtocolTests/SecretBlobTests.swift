import Cryptography
import Foundation
import HTTPTypes
import Testing

@testable import AWSProtocol

@Suite("Blobs that a model calls sensitive")
struct SecretBlobTests {
    /// Says back what it is told.
    private static let table: JSONOperationTable = {
        var table = JSONOperationTable(shapes: KMSShapes.table, allowsRepeatedMembers: false)
        table.on("Encrypt") { (input: KMSShapes.EncryptInput, _: ServiceRequest) in
            KMSShapes.DecryptOutput(keyId: input.keyId, plaintext: input.plaintext, encryptionAlgorithm: "NONE")
        }
        return table
    }()

    private static func call(_ body: String) async -> ServiceResponse {
        await table.respond(
            to: makeRequest("POST", headers: [("X-Amz-Target", "TrentService.Encrypt")], body: Array(body.utf8)))
    }

    private static func secret(_ body: ResponseBody) -> SecretBytes? {
        if case .secret(let bytes) = body { bytes } else { nil }
    }

    private static func text(_ response: ServiceResponse) async throws -> String {
        String(decoding: try await response.body.collect(upTo: 1 << 20), as: UTF8.self)
    }

    @Test(
        "are read into secret memory and written from there",
        arguments: ["AP8+/w==", #"AP8+\/w=="#, "\\u0041P8+/w=="])
    func roundTrip(sent: String) async throws {
        let response = await Self.call(#"{ "Plaintext" : "\#(sent)", "KeyId": "k" }"#)
        let body = try #require(Self.secret(response.body))
        #expect(response.body.length == Int64(body.count))
        #expect(
            try await Self.text(response) == #"{"EncryptionAlgorithm":"NONE","KeyId":"k","Plaintext":"AP8+/w=="}"#)
        #expect(response.headers[.cacheControl] == ServiceResponse.secretCacheControl)
        #expect(response.headers[.expires] == "0")
        #expect(response.headers.text("pragma") == "no-cache")
    }

    private static let refused: [(String, String, String)] = [
        (
            #"{"KeyId":"k","Plaintext":"hunter2"}"#, "SerializationException",
            "'plaintext' must be base 64, not a string."
        ),
        (#"{"KeyId":"k","Plaintext":7}"#, "SerializationException", "'plaintext' must be base 64, not a number."),
        (
            #"{"KeyId":"k","Plaintext":""}"#, "ValidationException",
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                + "Member must have length greater than or equal to 1"
        ),
        (
            #"{"KeyId":"k","Plaintext":"AA==","Plaintext":"AA=="}"#, "SerializationException",
            "The request names the member 'Plaintext' twice."
        ),
        (#"{"KeyId":"k","Plaintext":"AA=="#, "SerializationException", "The request's body is not a JSON document."),
        (#"{"KeyId":"k","Plaintext":"AA\"#, "SerializationException", "The request's body is not a JSON document."),
    ]

    @Test("are refused without being quoted", arguments: refused)
    func refusals(body: String, code: String, message: String) async throws {
        let response = await Self.call(body)
        let text = try await Self.text(response)
        #expect(response.status == 400)
        #expect(text.contains(code))
        #expect(text.contains(message))
        #expect(!text.contains("hunter2"))
    }

    @Test("stand where they belong, whatever their lengths")
    func places() async throws {
        let blobs = (0..<40).map { SecretBlob(SecretBytes(copying: [UInt8](repeating: UInt8($0), count: $0))) }
        let answer = try AWSJSON.answer(["a": blobs, "b": blobs.reversed()])
        let isSecret = Self.secret(answer) != nil
        #expect(isSecret)
        let plain = blobs.map { Data(repeating: UInt8($0.bytes.count), count: $0.bytes.count) }
        #expect(try await answer.collect(upTo: 1 << 20) == AWSJSON.encode(["a": plain, "b": plain.reversed()]))
    }

    @Test("are not for coders that leave copies behind")
    func otherCoders() throws {
        let blob = SecretBlob(SecretBytes(copying: [1, 2, 3]))
        #expect(throws: EncodingError.self) { try AWSJSON.encode([blob]) }
        #expect(throws: EncodingError.self) { try JSONEncoder().encode([blob]) }
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([SecretBlob].self, from: Data(#"["AQID"]"#.utf8))
        }
        #expect(try AWSJSON.decode([SecretBlob].self, from: Array(#"["AQID"]"#.utf8)) == [blob])
        #expect("\(blob)".contains("redacted"))
    }

    @Test("have a type of their own in the generated shapes, wherever the model says so")
    func generated() {
        for operation in KMSShapes.table.operations {
            let expected: Set<String> =
                switch operation {
                case "Encrypt": ["Plaintext"]
                case "Sign", "Verify", "GenerateMac", "VerifyMac": ["Message"]
                default: []
                }
            #expect(KMSShapes.table.secretMembers(of: operation) == expected, "\(operation)")
        }
    }

    @Test("arrive in bodies that are gathered into secret memory and still end at their limit")
    func bodies() async throws {
        func stream(_ pieces: Int) -> RequestBody {
            RequestBody(
                stream: AsyncThrowingStream<[UInt8], any Error> { continuation in
                    for piece in 0..<pieces { continuation.yield([UInt8](repeating: UInt8(piece), count: 1000)) }
                    continuation.finish()
                }, contentLength: nil)
        }
        let expected = (0..<100).flatMap { [UInt8](repeating: UInt8($0), count: 1000) }
        #expect(try await stream(100).secret(upTo: 100_000).disclosing() == expected)
        let error = await #expect(throws: AWSError.self) { try await stream(101).secret(upTo: 100_000) }
        #expect(error?.code == "RequestEntityTooLarge")
        let body = RequestBody(secret: SecretBytes(copying: expected))
        #expect(body.contentLength == 100_000)
        #expect(try await body.collect(upTo: 100_000) == expected)
        await #expect(throws: AWSError.self) { try await body.secret(upTo: 99_999) }
        var pieces: [UInt8] = []
        for try await piece in body { pieces += piece }
        #expect(pieces == expected)
        let (gathered, digest) = try await stream(100).gathered(upTo: 100_000)
        #expect(digest.bytes == SHA256.digest(expected).bytes)
        #expect(try await gathered.collect(upTo: 100_000) == expected)
    }
}
