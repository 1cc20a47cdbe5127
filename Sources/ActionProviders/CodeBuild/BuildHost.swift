import ArtifactStore
import Foundation
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import SystemPackage

/// What builds of all kinds share: directories, sandbox, logs, and the way from sources to published outputs.
struct BuildHost: Sendable {
    let configuration: ProviderConfiguration
    let sandbox: Sandbox
    let work: WorkDirectories
    let logs: BuildLogs
    let git: GitClient
    let repositories: GitRepositories

    /// Runs one build for a job and publishes its outputs.
    func build(_ plan: BuildPlan, _ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        if case .refused(let fault) = sandbox.mode {
            throw ActionFailure(
                .configuration,
                "This server cannot run build commands: \(fault). Install bubblewrap, or start the server with "
                    + "--allow-unsandboxed to run them as plain child processes.")
        }
        let extra = try await configuration.jobEnvironment(job)
        var plan = plan
        plan.environment =
            extra.sorted { $0.key < $1.key }.map { BuildVariable(name: $0.key, value: $0.value) }
            + plan.environment
        try await context.report(externalExecutionID: plan.externalID, logStream: plan.buildID)
        do {
            let prepared = plan
            return try await work.withDirectory("build") { directory in
                try await self.logs.withStream(
                    id: prepared.buildID, group: prepared.logGroup, name: prepared.buildID, scope: job.scope,
                    outputBytesMax: self.configuration.limits.outputBytesMax, masking: Self.secrets(in: extra)
                ) { log in
                    try await self.run(prepared, job, context, directory, log)
                }
            }
        } catch let failure as PhaseFailure {
            throw ActionFailure(
                .jobFailed, failure.description, externalExecutionID: plan.externalID, logStream: plan.buildID)
        }
    }

    /// The values that a log must not show: those of names that say they are secret.
    private static func secrets(in environment: [String: String]) -> [String] {
        environment.filter { name, _ in
            ["SECRET", "TOKEN", "PASSWORD", "CREDENTIAL"].contains { name.uppercased().contains($0) }
        }.map(\.value)
    }

    private func run(
        _ plan: BuildPlan, _ job: ActionJob, _ context: any ActionContext, _ directory: String, _ log: BuildLog
    ) async throws -> ActionOutcome {
        let startedAt = logs.now()
        let deadline = ContinuousClock.now + plan.timeout
        var isSandboxed = false
        if case .bubblewrap = sandbox.mode { isSandboxed = true }
        let layout = JobLayout(root: directory, isSandboxed: isSandboxed)
        try layout.create()
        if !isSandboxed { log.note("Running without a sandbox") }
        log.note("Phase is DOWNLOAD_SOURCE")
        let sources = try await unpack(plan, job, context, layout, log)
        let build = BuildRun(
            plan: plan, job: job, layout: layout, sandbox: sandbox, sources: sources, log: log,
            deadline: deadline, startedAt: startedAt)
        let product = try await build.run()
        for (output, path) in product.outputs.sorted(by: { $0.key < $1.key }) {
            try await publish(path, as: output, job, context)
        }
        return ActionOutcome(
            variables: product.variables, summary: nil, externalExecutionID: plan.externalID, logStream: plan.buildID)
    }

    private func unpack(
        _ plan: BuildPlan, _ job: ActionJob, _ context: any ActionContext, _ layout: JobLayout, _ log: BuildLog
    ) async throws -> BuildSources {
        func fail(_ message: String) -> PhaseFailure {
            let failure = PhaseFailure(phase: "DOWNLOAD_SOURCE", code: "CLIENT_ERROR", message: message)
            log.note("Phase complete: DOWNLOAD_SOURCE State: FAILED")
            log.note("Phase context status code: \(failure.code) Message: \(failure.message)")
            return failure
        }
        do {
            return try await BuildSources.unpack(
                job, primary: plan.primary, into: layout, store: context.store, git: git, repositories: repositories
            ) { log.note($0) }
        } catch let failure as PhaseFailure {
            throw fail(failure.message)
        } catch let error as GitError {
            throw fail(error.message)
        } catch let error as ProviderError {
            throw fail(error.message)
        } catch let error as StoreError where error.code == .invalid {
            throw fail(error.message)
        }
    }

    private func publish(_ path: String, as output: String, _ job: ActionJob, _ context: any ActionContext) async throws
    {
        let ingest = try await context.store.beginIngest(
            scope: job.scope, keyID: job.keyID, repository: job.pipelineName, artifact: output)
        do {
            _ = try await context.publish(try await ingest.addDirectory(FilePath(path)), as: output)
        } catch {
            ingest.abandon()
            throw error
        }
    }
}

extension ActionJob {
    /// A value of the configuration, nil when absent or empty.
    func value(_ key: String) -> String? {
        guard let value = configuration[key], !value.isEmpty else { return nil }
        return value
    }

    /// A value that the action cannot do without.
    func required(_ key: String) throws(ActionFailure) -> String {
        guard let value = value(key) else {
            throw ActionFailure(.configuration, "The action \(action) needs \(key) in its configuration")
        }
        return value
    }

    /// A value that is `true` or `false`, in any case.
    func flag(_ key: String, default standard: Bool) throws(ActionFailure) -> Bool {
        guard let value = value(key) else { return standard }
        switch value.lowercased() {
        case "true": return true
        case "false": return false
        default:
            throw ActionFailure(.configuration, "\(key) of action \(action) must be true or false, not \(value)")
        }
    }
}
