import ArtifactStore
import Foundation
import Glibc
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import PipelineModel
import Testing

@testable import ActionProviders

@Suite struct SourceTests {
    private func poller(_ shop: Workshop, _ provider: String) throws -> any SourcePoller {
        let type = ActionTypeID(category: .source, provider: provider)
        return try #require(shop.providers.pollers.first { $0.types.contains(type) })
    }

    // MARK: - CodeCommit

    @Test("A branch's head becomes the output, with its variables and revision")
    func codeCommit() async throws {
        let shop = try await Workshop()
        let repository = try await TestRepository(shop.scratch.path + "/origin")
        try await repository.commit(["a.txt": "1"], "First")
        let id = try await repository.commit(["a.txt": "2", "sub/b.txt": "b"], "Second\n\nWith a body")
        try await shop.providers.gitRepositories.register("demo", at: repository.path, in: testScope)
        let context = TestContext(shop)
        let configuration = ["RepositoryName": "demo", "BranchName": "main"]
        let job = ActionJob.test(.source, "CodeCommit", configuration, outputs: ["src"])
        let outcome = try await shop.runner(.source, "CodeCommit").run(job, in: context)
        #expect(try await shop.files(try #require(context.published["src"])) == ["a.txt": "2", "sub/b.txt": "b"])
        #expect(
            outcome.variables == [
                "CommitId": id, "CommitMessage": "Second\n\nWith a body", "RepositoryName": "demo",
                "BranchName": "main",
                "AuthorDate": "2019-10-29T03:32:21Z", "CommitterDate": "2019-10-29T04:00:00Z",
            ])
        #expect(outcome.revision?.id == id && outcome.revision?.summary == "Second\n\nWith a body")
        let polled = try await poller(shop, "CodeCommit").currentRevision(
            configuration: configuration, scope: testScope)
        #expect(polled?.id == id)
        #expect(try FileManager.default.contentsOfDirectory(atPath: shop.scratch.path + "/work").isEmpty)
    }

    @Test("The commit that an execution asks for is used")
    func override() async throws {
        let shop = try await Workshop()
        let repository = try await TestRepository(shop.scratch.path + "/origin")
        let first = try await repository.commit(["a.txt": "1"], "First")
        try await repository.commit(["a.txt": "2"], "Second")
        try await shop.providers.gitRepositories.register("demo", at: repository.path, in: testScope)
        let context = TestContext(shop)
        var job = ActionJob.test(
            .source, "CodeCommit", ["RepositoryName": "demo", "BranchName": "main"], outputs: ["src"])
        job.revisionOverrides = [
            SourceRevisionOverride(actionName: "Action", revisionType: "COMMIT_ID", revisionValue: first)
        ]
        let runner = try shop.runner(.source, "CodeCommit")
        #expect(try await runner.run(job, in: context).variables["CommitId"] == first)
        #expect(try await shop.files(try #require(context.published["src"])) == ["a.txt": "1"])
        job.revisionOverrides[0].revisionValue = "abc"
        let failing = job
        #expect(await actionFailure { try await runner.run(failing, in: context) }?.code == .revisionUnavailable)
    }

    @Test("What is missing is named")
    func missing() async throws {
        let shop = try await Workshop()
        let repository = try await TestRepository(shop.scratch.path + "/origin")
        try await repository.commit(["a.txt": "1"], "First")
        try await shop.providers.gitRepositories.register("demo", at: repository.path, in: testScope)
        let runner = try shop.runner(.source, "CodeCommit")
        let context = TestContext(shop)
        func failure(_ name: String, _ branch: String) async -> ActionFailure? {
            let job = ActionJob.test(
                .source, "CodeCommit", ["RepositoryName": name, "BranchName": branch], outputs: ["src"])
            return await actionFailure { try await runner.run(job, in: context) }
        }
        let branch = await failure("demo", "gone")
        #expect(branch?.code == .revisionUnavailable)
        #expect(branch?.message == "No branch named gone was found in the repository named demo")
        let unknown = await failure("other", "main")
        #expect(unknown?.code == .configuration && unknown?.message.contains("No repository named other") == true)
        removeTree(repository.path)
        let gone = await failure("demo", "main")
        #expect(gone?.message.hasPrefix("The repository named demo cannot be read: ") == true)
    }

    @Test("A clone reference becomes a full clone in the build")
    func cloneReference() async throws {
        let shop = try await Workshop()
        let repository = try await TestRepository(shop.scratch.path + "/origin")
        try await repository.commit(["a.txt": "1"], "First")
        let id = try await repository.commit(["a.txt": "2"], "Second")
        try await shop.providers.gitRepositories.register("demo", at: repository.path, in: testScope)
        let context = TestContext(shop)
        let source = ActionJob.test(
            .source, "CodeCommit",
            ["RepositoryName": "demo", "BranchName": "main", "OutputArtifactFormat": "CODEBUILD_CLONE_REF"],
            outputs: ["src"])
        _ = try await shop.runner(.source, "CodeCommit").run(source, in: context)
        let version = try #require(context.published["src"])
        let input = JobArtifact(name: "src", version: version, bucket: "b", objectKey: "k")
        let build = ActionJob.test(
            .build, "CodeBuild",
            [
                "ProjectName": "demo",
                "BuildspecOverride":
                    "version: 0.2\nphases: {build: {commands: ['cat a.txt > out; head -c 40 .git/refs/heads/main >> out; ls .git/shallow || echo full >> out']}}\nartifacts: {files: out}",
            ], inputs: [input], outputs: ["app"])
        _ = try await shop.runner(.build, "CodeBuild").run(build, in: context)
        #expect(try await shop.files(try #require(context.published["app"])) == ["out": "2\(id)full\n"])
    }

    // MARK: - S3

    @Test("An object becomes the output byte for byte, with its variables and revision")
    func s3() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("sources", in: testScope, versioning: .enabled)
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let old = try await shop.objects.put(bucket: "sources", key: "app/src.zip", bytes: [1, 2, 3])
        let object = try await shop.objects.put(
            bucket: "sources", key: "app/src.zip", bytes: bytes,
            options: ObjectOptions(metadata: ObjectMetadata(user: [S3Source.summaryKey: "Release 7"])))
        let context = TestContext(shop)
        let configuration = ["S3Bucket": "sources", "S3ObjectKey": "app/src.zip"]
        var job = ActionJob.test(.source, "S3", configuration, outputs: ["src"])
        let runner = try shop.runner(.source, "S3")
        let outcome = try await runner.run(job, in: context)
        let version = try #require(context.published["src"])
        #expect(try await shop.store.read(version).collect(upTo: 1 << 20) == bytes)
        #expect(
            outcome.variables == [
                "BucketName": "sources", "ObjectKey": "app/src.zip", "ETag": object.etag, "VersionId": object.versionID,
            ])
        #expect(outcome.revision?.id == object.versionID && outcome.revision?.changeID == object.etag)
        #expect(outcome.summary == "Release 7")
        #expect(
            try await poller(shop, "S3").currentRevision(configuration: configuration, scope: testScope)
                == outcome.revision)
        job.revisionOverrides = [
            SourceRevisionOverride(
                actionName: "Action", revisionType: "S3_OBJECT_VERSION_ID", revisionValue: old.versionID)
        ]
        let second = try await runner.run(job, in: context)
        #expect(second.variables["VersionId"] == old.versionID)
        #expect(second.summary == "Amazon S3 version id: \(old.versionID)")
        #expect(try await shop.store.read(try #require(context.published["src"])).collect(upTo: 10) == [1, 2, 3])
    }

    @Test("A key may be overridden only with leave")
    func s3KeyOverride() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("sources", in: testScope, versioning: .enabled)
        try await shop.objects.put(bucket: "sources", key: "other", bytes: [9])
        var job = ActionJob.test(.source, "S3", ["S3Bucket": "sources", "S3ObjectKey": "app"], outputs: ["src"])
        job.revisionOverrides = [
            SourceRevisionOverride(actionName: "Action", revisionType: "S3_OBJECT_KEY", revisionValue: "other")
        ]
        let runner = try shop.runner(.source, "S3")
        let (context, refused) = (TestContext(shop), job)
        #expect(await actionFailure { try await runner.run(refused, in: context) }?.code == .configuration)
        job.configuration["AllowOverrideForS3ObjectKey"] = "true"
        #expect(try await runner.run(job, in: context).variables["ObjectKey"] == "other")
    }

    @Test("A bucket without versions, another account's and what is missing are refused by name")
    func s3Refusals() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("plain", in: testScope)
        try await shop.objects.createBucket("sources", in: testScope, versioning: .enabled)
        try await shop.objects.createBucket(
            "theirs", in: .init(account: "111111111111", region: "us-east-1"), versioning: .enabled)
        try await shop.objects.put(bucket: "plain", key: "k", bytes: [1])
        try await shop.objects.put(bucket: "theirs", key: "k", bytes: [1])
        let runner = try shop.runner(.source, "S3")
        let context = TestContext(shop)
        func failure(_ bucket: String) async -> ActionFailure? {
            let job = ActionJob.test(.source, "S3", ["S3Bucket": bucket, "S3ObjectKey": "k"], outputs: ["src"])
            return await actionFailure { try await runner.run(job, in: context) }
        }
        let plain = await failure("plain")
        #expect(plain?.code == .configuration && plain?.message.contains("not versioned") == true)
        #expect(await failure("theirs")?.code == .permission)
        #expect(await failure("sources")?.code == .revisionUnavailable)
        #expect(await failure("nowhere")?.message == "The bucket nowhere does not exist")
        let polled = try await poller(shop, "S3").currentRevision(
            configuration: ["S3Bucket": "theirs", "S3ObjectKey": "k"], scope: testScope)
        #expect(polled == nil)
    }
}
