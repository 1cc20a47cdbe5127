import Foundation
import PipelineEngine

/// One build from its sources to its artifacts.
struct BuildRun {
    let plan: BuildPlan
    let job: ActionJob
    let layout: JobLayout
    let sandbox: Sandbox
    let sources: BuildSources
    let log: BuildLog
    let deadline: ContinuousClock.Instant
    let startedAt: Date

    /// What a build leaves behind when it succeeds.
    struct Product: Sendable {
        /// The values of exported variables.
        var variables: [String: String] = [:]
        /// A directory for each output of the action.
        var outputs: [String: String] = [:]
    }

    /// - Throws: `PhaseFailure` when the build fails, `CancellationError` when it was stopped.
    func run() async throws -> Product {
        let (spec, environment) = try downloadPhase()
        let session: BuildSession
        do {
            session = try await start(spec, environment)
        } catch {
            throw PhaseFailure(phase: "PROVISIONING", code: "CLIENT_ERROR", message: "\(error)", state: "FAULT")
        }
        let result: Result<Product, any Error> = await withTaskCancellationHandler {
            do {
                return .success(try await build(spec, session))
            } catch {
                return .failure(error)
            }
        } onCancel: {
            session.stop(.cancelled)
        }
        _ = await session.close()
        try Task.checkCancellation()
        return try result.get()
    }

    private func start(_ spec: Buildspec, _ environment: BuildEnvironment) async throws -> BuildSession {
        let setup = BuildSession.Setup(
            layout: layout, shell: try Self.shell(spec.shell), directory: sources.primaryDirectory,
            environment: environment.pairs, isContinuous: spec.version == .oneShell, limits: sandbox.limits,
            deadline: deadline)
        return try await BuildSession.start(setup, sandbox: sandbox, log: log)
    }

    private func build(_ spec: Buildspec, _ session: BuildSession) async throws -> Product {
        var firstFailure: PhaseFailure?
        var isSucceeding = true
        for name in Buildspec.PhaseName.allCases {
            let phase = spec.phases[name] ?? Buildspec.Phase()
            guard let failure = try await attempt(name, phase, session, isSucceeding) else { continue }
            isSucceeding = false
            switch phase.onFailure {
            case .proceed: continue
            case .abort:
                finish(failure)
                throw failure
            case .unspecified, .retry:
                // Before BUILD a failure ends the build; from there on the remaining phases have their turn.
                firstFailure = firstFailure ?? failure
                if name == .install || name == .preBuild {
                    finish(failure)
                    throw failure
                }
            }
        }
        return try await upload(spec, session, after: firstFailure)
    }

    func finish(_ failure: PhaseFailure?) {
        log.note("Entering phase FINALIZING")
        log.note("Phase complete: FINALIZING State: SUCCEEDED")
        log.note("Phase context status code:  Message:")
        log.note("Build complete: \(failure?.state ?? "SUCCEEDED")")
    }

    func complete(_ phase: String, _ failure: PhaseFailure?) {
        log.note("Phase complete: \(phase) State: \(failure?.state ?? "SUCCEEDED")")
        log.note("Phase context status code: \(failure?.code ?? "") Message: \(failure?.message ?? "")")
    }
}
