import AWSProtocol
import AccessControl
import ArtifactStore
import Catalog
import Foundation
import HTTPTypes
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import SystemPackage
import Testing

@testable import CodePipelineAPI

/// The front over an engine that runs nothing.
final class FrontTests {
    let front: CodePipelineFront
    let root: Principal
    private let home = FileManager.default.temporaryDirectory.appendingPathComponent("front-\(UUID().uuidString)")

    init() async throws {
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        let catalog = try Catalog(
            path: home.appendingPathComponent("catalog.db").path,
            migrations: StoreSchema.migrations + KeySchema.migrations + ObjectSchema.migrations
                + PipelineSchema.migrations + AccessSchema.migrations)
        let keys = try await KeyHierarchy.create(
            catalog: catalog, root: RootLocation(directory: home.path))
        let store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: FilePath(home.appendingPathComponent("store").path)),
            catalog: catalog, keys: keys)
        let objects = ObjectStorage(store: store, catalog: catalog, keys: keys)
        let service = PipelineService(catalog: catalog, store: store, objects: objects, runners: [], pollers: [])
        let access = AccessControl(catalog: catalog, keys: keys)
        root = try await access.bootstrap(account: "123456789012").credential.principal
        front = CodePipelineFront(pipelines: service, access: access)
    }

    deinit { try? FileManager.default.removeItem(at: home) }

    func call(_ operation: String, _ body: String) async throws -> (status: Int, body: JSONValue) {
        var request = ServiceRequest(
            method: "POST", path: "/", body: RequestBody(bytes: Array(body.utf8)), principal: root)
        request.setHeader("x-amz-target", "CodePipeline_20150709.\(operation)")
        let response = await front.respond(to: request)
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return (response.status, try AWSJSON.decode(JSONValue.self, from: bytes))
    }

    static let declaration = """
        {"name":"p","roleArn":"arn:aws:iam::123456789012:role/r","artifactStore":{"type":"S3","location":"artifacts"},
         "stages":[{"name":"Source","actions":[{"name":"Fetch","actionTypeId":
          {"category":"Source","owner":"AWS","provider":"S3","version":"1"},
          "configuration":{"S3Bucket":"b","S3ObjectKey":"k"},"outputArtifacts":[{"name":"App"}]}]},
         {"name":"Gate","actions":[{"name":"Ask","actionTypeId":
          {"category":"Approval","owner":"AWS","provider":"Manual","version":"1"}}]}]}
        """

    @Test(arguments: CodePipelineShapes.table.operations)
    func everyOperationAnswersAnEmptyRequest(operation: String) async throws {
        let answer = try await call(operation, "{}")
        let code = answer.body["__type"]?.stringValue
        let allowed: Set<String?> = [
            nil, "ValidationException", "NotImplementedException", "ActionTypeNotFoundException",
            "JobNotFoundException", "WebhookNotFoundException",
        ]
        #expect(allowed.contains(code), "\(operation): \(code ?? "")")
        #expect(answer.status == (code == nil ? 200 : 400))
    }

    @Test func onlyWebhooksCannotBeMade() async throws {
        var missing: [String] = []
        for operation in CodePipelineShapes.table.operations {
            let members = #"{"name":"p","pipelineName":"p"}"#
            if try await call(operation, members).body["__type"] == .string("NotImplementedException") {
                missing.append(operation)
            }
        }
        #expect(missing == ["PutWebhook"])
    }

    @Test func aPipelineIsMadeReadListedAndDeleted() async throws {
        let made = try await call(
            "CreatePipeline", #"{"pipeline":\#(Self.declaration),"tags":[{"key":"team","value":"web"}]}"#)
        #expect(made.status == 200)
        #expect(made.body["pipeline"]?["version"] == .integer(1))
        #expect(made.body["tags"] == .array([.object(["key": .string("team"), "value": .string("web")])]))
        let got = try await call("GetPipeline", #"{"name":"p"}"#)
        #expect(got.body["pipeline"] == made.body["pipeline"])
        let arn = "arn:aws:codepipeline:us-east-1:123456789012:p"
        #expect(got.body["metadata"]?["pipelineArn"] == .string(arn))
        guard case .number = got.body["metadata"]?["created"] else {
            Issue.record("times are numbers, not \(String(describing: got.body["metadata"]?["created"]))")
            return
        }
        let tags = try await call("ListTagsForResource", #"{"resourceArn":"\#(arn)"}"#)
        #expect(tags.body["tags"] == made.body["tags"])
        let again = try await call("CreatePipeline", #"{"pipeline":\#(Self.declaration)}"#)
        #expect(again.body["__type"] == .string("PipelineNameInUseException"))
        for _ in 0..<2 { #expect(try await call("DeletePipeline", #"{"name":"p"}"#).status == 200) }
        let gone = try await call("GetPipeline", #"{"name":"p"}"#)
        #expect(gone.status == 400)
        #expect(gone.body["__type"] == .string("PipelineNotFoundException"))
    }
}
