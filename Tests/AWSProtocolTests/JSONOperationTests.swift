import Cryptography
import Foundation
import Testing

@testable import AWSProtocol

struct JSONOperationTests {
    static let table: JSONOperationTable = {
        var table = JSONOperationTable(shapes: CodePipelineShapes.table)
        table.on("ListPipelineExecutions") {
            (input: CodePipelineShapes.ListPipelineExecutionsInput, request: ServiceRequest) in
            [
                "name": JSONValue.string(input.pipelineName),
                "limit": input.maxResults.map { .integer(Int64($0)) } ?? .null,
            ]
        }
        table.on("DisableStageTransition") {
            (_: CodePipelineShapes.DisableStageTransitionInput, _: ServiceRequest) in
        }
        return table
    }()

    static func call(_ operation: String, _ body: String) async throws -> (status: Int, body: JSONValue) {
        let response = await table.respond(
            to: makeRequest(
                "POST", headers: [("X-Amz-Target", "CodePipeline_20150709.\(operation)")], body: Array(body.utf8)))
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return (response.status, try AWSJSON.decode(JSONValue.self, from: bytes))
    }

    @Test func anOperationIsDecodedCalledAndEncoded() async throws {
        let answer = try await Self.call("ListPipelineExecutions", #"{"pipelineName":"p","maxResults":5,"new":1}"#)
        #expect(answer.status == 200)
        #expect(answer.body["name"] == .string("p"))
        #expect(answer.body["limit"] == .integer(5))
    }

    static let refused: [(String, String, String, String)] = [
        ("Nonsense", "{}", "UnknownOperationException", "There is no operation Nonsense."),
        ("ListPipelineExecutions", "{", "SerializationException", "The request's body is not a JSON document."),
        ("ListPipelineExecutions", "[]", "SerializationException", "The request must be an object, not a list."),
        (
            "ListPipelineExecutions", #"{"pipelineName":5}"#, "SerializationException",
            "'pipelineName' must be a string, not a number."
        ),
        (
            "ListPipelineExecutions", "{}", "ValidationException",
            "1 validation error detected: Value null at 'pipelineName' failed to satisfy constraint: "
                + "Member must not be null"
        ),
        (
            "ListPipelineExecutions", #"{"pipelineName":"a b","maxResults":101}"#, "ValidationException",
            "2 validation errors detected: Value 'a b' at 'pipelineName' failed to satisfy constraint: "
                + #"Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+; Value '101' at 'maxResults' "#
                + "failed to satisfy constraint: Member must have value less than or equal to 100"
        ),
        (
            "DisableStageTransition",
            #"{"pipelineName":"p","stageName":"s","transitionType":"Sideways","reason":"r"}"#, "ValidationException",
            "1 validation error detected: Value 'Sideways' at 'transitionType' failed to satisfy constraint: "
                + "Member must satisfy enum value set: [Inbound, Outbound]"
        ),
        (
            "GetPipeline", #"{"name":"p"}"#, "NotImplementedException",
            "The operation GetPipeline is not available in this service."
        ),
    ]

    @Test(arguments: refused)
    func whatIsWrongIsSaid(operation: String, body: String, code: String, message: String) async throws {
        let answer = try await Self.call(operation, body)
        #expect(answer.status == 400)
        #expect(answer.body["__type"] == .string(code))
        #expect(answer.body["message"] == .string(message))
    }

    @Test func pathsCountFromOneAndMapsKeepTheirValuesToThemselves() throws {
        let text = """
            {"pipeline":{"name":"p","roleArn":"arn:aws:iam::123456789012:role/r","stages":[{"name":"S","actions":[
            {"name":"","actionTypeId":{"category":"Source","owner":"AWS","provider":"S3","version":"1"},
            "configuration":{"k":""}}]}]}}
            """
        let document = try AWSJSON.decode(JSONValue.self, from: Array(text.utf8))
        #expect {
            try ShapeValidator.validate(document, operation: "CreatePipeline", table: CodePipelineShapes.table)
        } throws: { error in
            let message = (error as? AWSError)?.message ?? ""
            return message.contains("at 'pipeline.stages.1.member.actions.1.member.name' failed")
                && message.contains(
                    "Value at 'pipeline.stages.1.member.actions.1.member.configuration' failed to satisfy constraint: "
                        + "Map value must satisfy constraint: [Member must have length less than or equal to ")
        }
    }

    @Test func blobsAreMeasuredInBytesAndNeverQuoted() throws {
        let document = JSONValue.object([
            "KeyId": .string(""), "Plaintext": .string(Base64.encode([UInt8](repeating: 0, count: 4097))),
        ])
        #expect {
            try ShapeValidator.validate(document, operation: "Encrypt", table: KMSShapes.table)
        } throws: { error in
            (error as? AWSError)?.message
                == "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have "
                + "length greater than or equal to 1; Value at 'plaintext' failed to satisfy constraint: Member must "
                + "have length less than or equal to 4096"
        }
    }

    @Test(arguments: [CodePipelineShapes.table, KMSShapes.table, STSShapes.table].flatMap { $0.patterns.sorted() })
    func everyPatternOfTheModelsCompiles(pattern: String) throws {
        _ = try ShapePattern.compile(pattern)
    }

    @Test func theTablesNameEveryOperation() {
        #expect(CodePipelineShapes.table.operations.count == 44)
        #expect(KMSShapes.table.operations.count == 54)
        #expect(STSShapes.table.operations.count == 11)
    }

    @Test func timesAreEpochSecondsWithMilliseconds() throws {
        let bytes = try AWSJSON.encode(["t": Date(timeIntervalSince1970: 1_586_273_484.137)])
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"t":1586273484.137}"#)
    }
}
