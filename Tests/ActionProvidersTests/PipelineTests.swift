import ArtifactStore
import Foundation
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import PipelineModel
import Testing

@testable import ActionProviders

/// The providers under the real engine, from a commit to objects in a bucket.
@Suite struct PipelineTests {
    private static let declaration = """
        {
          "name": "web", "roleArn": "arn:aws:iam::000000000000:role/pipeline", "version": 1,
          "artifactStore": {"type": "S3", "location": "artifacts"},
          "stages": [
            {"name": "Source", "actions": [{
              "name": "Checkout", "namespace": "source",
              "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
              "configuration": {"RepositoryName": "demo", "BranchName": "main", "PollForSourceChanges": "false"},
              "outputArtifacts": [{"name": "src"}]}]},
            {"name": "Build", "actions": [{
              "name": "Make", "namespace": "build",
              "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
              "configuration": {"ProjectName": "demo",
                "EnvironmentVariables": "[{\\"name\\":\\"COMMIT\\",\\"value\\":\\"#{source.CommitId}\\"}]"},
              "inputArtifacts": [{"name": "src"}], "outputArtifacts": [{"name": "app"}]}]},
            {"name": "Deploy", "actions": [{
              "name": "Publish",
              "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "S3", "version": "1"},
              "configuration": {"BucketName": "site", "Extract": "true", "ObjectKey": "#{build.TAG}"},
              "inputArtifacts": [{"name": "app"}]}]}
          ]
        }
        """

    @Test("A commit is built and deployed, and a failing build stops the pipeline with its reason")
    func commitToBucket() async throws {
        let shop = try await Workshop(withEngine: true)
        let repository = try await TestRepository(shop.scratch.path + "/origin")
        let spec = """
            version: 0.2
            env: {exported-variables: [TAG]}
            phases:
              build:
                commands: ['export TAG=release-1', 'mkdir out', 'sed "s/@/$COMMIT/" page.html > out/index.html', '[ $CODEBUILD_RESOLVED_SOURCE_VERSION = $COMMIT ]', '. ./check.sh']
            artifacts: {files: ['**/*'], base-directory: out}
            """
        let id = try await repository.commit(
            ["buildspec.yml": spec, "page.html": "built from @", "check.sh": "true\n"], "First")
        try await shop.providers.gitRepositories.register("demo", at: repository.path, in: testScope)
        try await shop.objects.createBucket("artifacts", in: testScope, versioning: .enabled)
        try await shop.objects.createBucket("site", in: testScope)
        let service = PipelineService(
            catalog: shop.catalog, store: shop.store, objects: shop.objects, runners: shop.providers.runners,
            pollers: shop.providers.pollers)
        let running = Task { try await service.run() }
        defer { running.cancel() }
        let declaration = try JSONDecoder().decode(PipelineDeclaration.self, from: Data(Self.declaration.utf8))
        _ = try await service.createPipeline(declaration, in: testScope, caller: "tester")
        // Creating a pipeline starts it, as on AWS.
        let first = try await finished(service, number: 1)
        let why = try await details(service)
        #expect(first.status == .succeeded, "\(why)")
        #expect(first.revisions.first?.revision.id == id)
        let page = try #require(try await shop.object("site", "release-1/index.html"))
        #expect(page.text == "built from \(id)" && page.object.metadata.contentType == "text/html")

        let deployed = try await shop.store.pins().filter { $0.kind == .deployment }
        #expect(deployed.map(\.name) == ["Deploy"] && deployed.first?.owner == "web")

        try await repository.commit(["check.sh": "exit 3\n"], "Second")
        _ = try await service.startExecution(of: "web", StartRequest(caller: "tester"), in: testScope)
        let second = try await finished(service, number: 2)
        #expect(second.status == .failed)
        let actions = try await service.listActionExecutions(of: "web", execution: second.id, in: testScope).items
        let build = try #require(actions.first { $0.actionName == "Make" })
        #expect(build.error?.message.contains("Reason: exit status 3") == true)
        let stream = try #require(build.progress.logStream)
        #expect(try await shop.providers.buildLogs.lines(of: stream)?.isLast == true)
        #expect(!actions.contains { $0.actionName == "Publish" })
    }

    private func finished(_ service: PipelineService, number: Int) async throws -> ExecutionSummary {
        for try await _ in try await service.events(of: "web", after: 0, in: testScope) {
            guard let found = try? await service.getExecution(number: number, of: "web", in: testScope) else {
                continue
            }
            if found.status != .inProgress { return found }
        }
        return try await service.getExecution(number: number, of: "web", in: testScope)
    }

    private func details(_ service: PipelineService) async throws -> String {
        try await service.listActionExecutions(of: "web", in: testScope).items.map {
            "\($0.actionName) \($0.status) \($0.error?.message ?? "")"
        }.joined(separator: "; ")
    }
}
