import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel
import Testing

@testable import ActionProviders

let testScope = AccountRegion(account: "000000000000", region: "us-east-1")

/// One build in a scratch directory, with the source files given, without a store.
final class TestBuild: Sendable {
    let scratch: Scratch
    let layout: JobLayout
    let sandbox: Sandbox
    let log: BuildLog
    let sources: BuildSources

    /// A build in the sandbox of this machine, or without one.
    init(_ files: [String: String] = [:], mode: Sandbox.Mode? = nil, limits: SandboxLimits = SandboxLimits())
        async throws
    {
        scratch = try Scratch()
        let work = try WorkDirectories(dataDirectory: scratch.path)
        let found = await Sandbox.probe(
            ProviderConfiguration(dataDirectory: scratch.path, allowsUnsandboxed: true, limits: limits))
        sandbox = Sandbox(
            mode: mode ?? found.mode, limits: limits, network: .shared, dataDirectory: scratch.path,
            visibleDirectories: [])
        var isSandboxed = false
        if case .bubblewrap = sandbox.mode { isSandboxed = true }
        layout = JobLayout(root: work.root + "/build-1", isSandboxed: isSandboxed)
        try layout.create()
        let source = layout.codebuild + "/output/src1/src"
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try Scratch.write(files, below: source)
        sources = BuildSources(
            primaryDirectory: layout.seen(source), variables: ["CODEBUILD_SRC_DIR": layout.seen(source)])
        log = BuildLog(outputBytesMax: limits.outputBytesMax, masking: []) { Date() }
    }

    /// A build that runs as a plain child process.
    static func plain(_ files: [String: String] = [:], limits: SandboxLimits = SandboxLimits()) async throws
        -> TestBuild
    {
        try await TestBuild(files, mode: .plain, limits: limits)
    }

    func run(
        _ buildspec: BuildPlan.Specification = .file("buildspec.yml"), outputs: [String] = [],
        environment: [BuildVariable] = [], timeout: Duration = .seconds(120)
    ) async throws -> BuildRun.Product {
        let plan = BuildPlan(
            buildID: "b1", project: "demo", logGroup: "/aws/codebuild/demo", buildNumber: 7,
            specification: buildspec, environment: environment, image: "aws/codebuild/standard:7.0", timeout: timeout,
            primary: nil)
        let build = BuildRun(
            plan: plan, job: Self.job(outputs: outputs), layout: layout, sandbox: sandbox, sources: sources, log: log,
            deadline: .now + timeout, startedAt: Date())
        return try await build.run()
    }

    static func job(outputs: [String] = []) -> ActionJob {
        ActionJob(
            id: "job", scope: testScope, pipelineName: "web", executionID: "e1", stage: "Build", action: "Build",
            actionExecutionID: "a1", type: .init(category: .build, provider: "CodeBuild"),
            outputs: outputs.map { JobOutput(name: $0, files: [], bucket: "artifacts", objectKey: "web/\($0)") },
            startedAt: Date(timeIntervalSince1970: 1_700_000_000))
    }

    /// What was said so far; each line once.
    func lines() -> [String] { log.take().lines.map(\.text) }

    /// What commands printed so far, without the agent's own lines.
    func output() -> [String] { lines().filter { !$0.hasPrefix("[Container]") } }
}

/// The failure that `body` ends with.
func failure(of body: () async throws -> some Any) async -> PhaseFailure? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? PhaseFailure
    }
}
