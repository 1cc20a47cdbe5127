import Foundation
import HTTPTypes
import Testing

@testable import AWSProtocol

/// Damaged requests: whatever comes, there is an answer, and never a principal.
struct FuzzTests {
    static func damage(_ text: String, _ random: inout SeededGenerator) -> String {
        var bytes = Array(text.utf8)
        let marks = Array("=,/;&%+ \"AZ09-_.~\u{E4}".utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: index)
            case 1: bytes[index] = marks[Int.random(in: 0..<marks.count, using: &random)]
            case 2: bytes.insert(marks[Int.random(in: 0..<marks.count, using: &random)], at: index)
            default: bytes.removeSubrange(index..<min(bytes.count, index + 5))
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func damagedSignaturesAreRefused() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let rounds = Int(ProcessInfo.processInfo.environment["FUZZ_ROUNDS"] ?? "") ?? 600
        for round in 0..<rounds {
            let fixture = try #require(BotocoreFixture.all.randomElement(using: &random))
            let good = AuthenticatorTests.botocore(fixture)
            var request = good
            if let authorization = request.headers[.authorization] {
                request.headers[.authorization] = Self.damage(authorization, &random)
            } else {
                request.query = Self.damage(request.query, &random)
            }
            _ = ServiceRouter.service(of: request)
            let error = await refusal(request, ServiceName(rawValue: fixture.service))
            // Some damage changes nothing: a blank between parts, an empty piece, an unsigned parameter of Version 2.
            if error == nil {
                #expect(Self.meaning(request) == Self.meaning(good), "round \(round), seed \(seed)")
            }
        }
    }

    /// What a signature covers of a request, roughly: its pairs, decoded, without blanks.
    static func meaning(_ request: ServiceRequest) -> [String] {
        let covered: Set = ["AWSAccessKeyId", "Signature", "Expires", "x-amz-security-token"]
        let isVersion2 = request.queryValue("AWSAccessKeyId") != nil
        var pairs = request.queryItems.map { "\($0.name)=\($0.value)" }
        if isVersion2 {
            pairs = request.queryItems
                .filter { covered.contains($0.name) || SignatureV2Claim.subresources.contains($0.name) }
                .map { "\($0.name)=\($0.value)" }
        }
        let header = request.headers[.authorization] ?? ""
        return pairs.sorted() + header.split { $0 == "," || $0 == " " }.map { $0.lowercased() }.sorted()
    }

    @Test func damagedDocumentsAreAnswered() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let text =
            #"{"pipelineName":"p","maxResults":5,"filter":{"succeededInStage":{"stageName":"s"}},"nextToken":"t"}"#
        for _ in 0..<300 {
            let response = await JSONOperationTests.table.respond(
                to: makeRequest(
                    "POST", headers: [("X-Amz-Target", "CodePipeline_20150709.ListPipelineExecutions")],
                    body: Array(Self.damage(text, &random).utf8)))
            #expect(response.status == 200 || response.status == 400, "seed \(seed)")
        }
    }
}
