import ArtifactStore
import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel
import Testing

@testable import ActionProviders

@Suite struct CodeBuildRunnerTests {
    private let spec = """
        version: 0.2
        env: {exported-variables: [TAG]}
        phases:
          build:
            commands: ['export TAG=v1', 'mkdir out; cp README out/; echo $TAG > out/tag; chmod 755 out/tag', 'echo built $TOKEN']
        artifacts: {files: ['**/*'], base-directory: out}
        """

    @Test("A build reads its input, publishes its output and reports variables, build and log")
    func wholeBuild() async throws {
        let shop = try await Workshop(jobEnvironment: { _ in ["TOKEN": "s3cr3t-value"] })
        let input = try await shop.artifact(["buildspec.yml": spec, "README": "read me"])
        let context = TestContext(shop)
        let job = ActionJob.test(.build, "CodeBuild", ["ProjectName": "demo"], inputs: [input], outputs: ["app"])
        let outcome = try await shop.runner(.build, "CodeBuild").run(job, in: context)
        #expect(outcome.variables == ["TAG": "v1"])
        let version = try #require(context.published["app"])
        #expect(try await shop.files(version) == ["README": "read me", "tag": "v1\n"])
        #expect(try await shop.store.entries(of: version).first { $0.path == "tag" }?.isExecutable == true)
        let id = try #require(outcome.externalExecutionID)
        #expect(id.hasPrefix("demo:") && context.progress.first?.externalExecutionID == id)
        let stream = try #require(outcome.logStream)
        let lines = try #require(try await shop.providers.buildLogs.lines(of: stream)).lines.map(\.text)
        #expect(lines.contains("built ***") && lines.contains { $0.hasSuffix("Found 2 file(s)") })
        #expect(try await shop.providers.buildLogs.stream(stream)?.group == "/aws/codebuild/demo")
        #expect(try FileManager.default.contentsOfDirectory(atPath: shop.scratch.path + "/work").isEmpty)
    }

    @Test("A failing build fails the action in CodePipeline's words and publishes nothing")
    func failing() async throws {
        let shop = try await Workshop()
        let input = try await shop.artifact([
            "buildspec.yml":
                "version: 0.2\nphases: {build: {commands: ['echo x > a', 'exit 7']}}\nartifacts: {files: a}"
        ])
        let context = TestContext(shop)
        let job = ActionJob.test(.test, "CodeBuild", ["ProjectName": "demo"], inputs: [input], outputs: ["app"])
        let runner = try shop.runner(.test, "CodeBuild")
        let error = await actionFailure { try await runner.run(job, in: context) }
        #expect(error?.code == .jobFailed && error?.logStream != nil && error?.externalExecutionID != nil)
        #expect(
            error?.message
                == "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
                + "Error while executing command: exit 7. Reason: exit status 7")
        #expect(context.published.isEmpty)
    }

    @Test("Several inputs unpack side by side, and PrimarySource chooses")
    func inputs() async throws {
        let shop = try await Workshop()
        let first = try await shop.artifact(["a.txt": "first"], name: "First")
        let second = try await shop.artifact(["b.txt": "second"], name: "Second")
        let context = TestContext(shop)
        var job = ActionJob.test(
            .build, "CodeBuild",
            [
                "ProjectName": "demo", "PrimarySource": "Second",
                "BuildspecOverride":
                    "version: 0.2\nphases: {build: {commands: ['cat b.txt $CODEBUILD_SRC_DIR_First/a.txt > all', 'echo $NAME >> all']}}\nartifacts: {files: all}",
                "EnvironmentVariables": "[{\"name\":\"NAME\",\"value\":\"of action\",\"type\":\"PLAINTEXT\"}]",
            ], inputs: [first, second], outputs: ["app"])
        let runner = try shop.runner(.build, "CodeBuild")
        _ = try await runner.run(job, in: context)
        #expect(try await shop.files(try #require(context.published["app"])) == ["all": "secondfirstof action\n"])
        job.configuration["PrimarySource"] = nil
        #expect(
            await actionFailure { try await runner.run(job, in: context) }?.message.contains("needs PrimarySource")
                == true)
        job.configuration["PrimarySource"] = "Third"
        #expect(
            await actionFailure { try await runner.run(job, in: context) }?.message.contains("not an input") == true)
    }

    @Test("A project's buildspec and variables are used, and a bare path means a file")
    func project() async throws {
        let shop = try await Workshop()
        try await shop.providers.buildProjects.put(
            BuildProject(
                name: "demo", buildspec: "ci/spec.yml", environment: [BuildVariable(name: "WHO", value: "project")]),
            in: testScope)
        let input = try await shop.artifact([
            "ci/spec.yml":
                "version: 0.2\nphases: {build: {commands: ['echo $WHO $CODEBUILD_BUILD_NUMBER > who']}}\nartifacts: {files: who}"
        ])
        let context = TestContext(shop)
        let job = ActionJob.test(.build, "CodeBuild", ["ProjectName": "demo"], inputs: [input], outputs: ["app"])
        _ = try await shop.runner(.build, "CodeBuild").run(job, in: context)
        #expect(try await shop.files(try #require(context.published["app"])) == ["who": "project 1\n"])
    }

    @Test(
        "A configuration that cannot work is told at once",
        arguments: [
            ([:], "needs ProjectName"), (["ProjectName": "demo", "BatchEnabled": "true"], "Batch builds"),
            (["ProjectName": "demo", "EnvironmentVariables": "{}"], "not a JSON array"),
            (["ProjectName": "no such name!"], "Invalid project name"),
        ])
    func configuration(configuration: [String: String], reason: String) async throws {
        let shop = try await Workshop()
        let input = try await shop.artifact(["a": "b"])
        let job = ActionJob.test(.build, "CodeBuild", configuration, inputs: [input])
        let runner = try shop.runner(.build, "CodeBuild")
        let error = await actionFailure { try await runner.run(job, in: TestContext(shop)) }
        #expect(error?.code == .configuration && error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test("An input that is neither a tree nor a ZIP fails in DOWNLOAD_SOURCE")
    func notAnArchive() async throws {
        let shop = try await Workshop()
        let input = try await shop.artifact(bytes: Array(String(repeating: "not a zip ", count: 10).utf8))
        let job = ActionJob.test(.build, "CodeBuild", ["ProjectName": "demo"], inputs: [input])
        let runner = try shop.runner(.build, "CodeBuild")
        let error = await actionFailure { try await runner.run(job, in: TestContext(shop)) }
        #expect(
            error?.message.contains("Phase: DOWNLOAD_SOURCE") == true && error?.message.contains("not a ZIP") == true)
    }

    @Test("Commands actions run their commands and export their variables and files")
    func commands() async throws {
        let shop = try await Workshop()
        let input = try await shop.artifact(["a.txt": "a"])
        let context = TestContext(shop)
        var job = ActionJob.test(.compute, "Commands", inputs: [input])
        job.commands = ["export N=$(wc -c < a.txt | tr -d ' ')", "mkdir d; echo $WHO > d/who; echo no > skipped"]
        job.environment = [EnvironmentVariable(name: "WHO", value: "me")]
        job.outputVariables = ["N"]
        job.outputs = [JobOutput(name: "out", files: ["d/*"], bucket: "b", objectKey: "k")]
        let outcome = try await shop.runner(.compute, "Commands").run(job, in: context)
        #expect(outcome.variables == ["N": "1"])
        #expect(try await shop.files(try #require(context.published["out"])) == ["d/who": "me\n"])
        job.commands = ["echo one", "exit 5", "echo two"]
        let runner = try shop.runner(.compute, "Commands")
        let failing = job
        #expect(
            await actionFailure { try await runner.run(failing, in: context) }?.message.contains("exit status 5")
                == true)
    }

    @Test("Where commands may not run, the action says what to do")
    func refused() async throws {
        let shop = try await Workshop()
        let host = BuildHost(
            configuration: ProviderConfiguration(dataDirectory: shop.scratch.path),
            sandbox: Sandbox(
                mode: .refused("bubblewrap (bwrap) is not installed"), limits: SandboxLimits(), network: .shared,
                dataDirectory: shop.scratch.path, visibleDirectories: []),
            work: try WorkDirectories(dataDirectory: shop.scratch.path), logs: shop.providers.buildLogs,
            git: GitClient(work: try WorkDirectories(dataDirectory: shop.scratch.path)),
            repositories: shop.providers.gitRepositories)
        let input = try await shop.artifact(["a": "b"])
        let job = ActionJob.test(.build, "CodeBuild", ["ProjectName": "demo"], inputs: [input])
        let runner = CodeBuildRunner(host: host, projects: shop.providers.buildProjects)
        let error = await actionFailure { try await runner.run(job, in: TestContext(shop)) }
        #expect(error?.code == .configuration && error?.message.contains("--allow-unsandboxed") == true)
    }
}
