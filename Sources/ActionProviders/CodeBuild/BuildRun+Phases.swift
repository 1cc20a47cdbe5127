import Foundation

/// INSTALL to POST_BUILD: the commands.
extension BuildRun {
    /// Runs a phase, again where `on-failure` says so; its failure, or nil.
    func attempt(
        _ name: Buildspec.PhaseName, _ phase: Buildspec.Phase, _ session: BuildSession, _ isSucceeding: Bool
    ) async throws -> PhaseFailure? {
        var tries = 0
        while true {
            log.note("Entering phase \(name.title)")
            let failure = try await runPhase(name, phase, session, isSucceeding)
            complete(name.title, failure)
            guard let failure, case .retry(let attempts, let pattern) = phase.onFailure, tries < attempts else {
                return failure
            }
            if let pattern, !Self.matches(pattern, failure, log.tail) { return failure }
            tries += 1
            log.note("Retrying phase \(name.title) (\(tries) of \(attempts))")
        }
    }

    private static func matches(_ pattern: String, _ failure: PhaseFailure, _ output: [String]) -> Bool {
        guard let regex = try? Regex(pattern) else { return false }  // checked when the buildspec was read
        return failure.message.contains(regex) || output.contains { $0.contains(regex) }
    }

    private func runPhase(
        _ name: Buildspec.PhaseName, _ phase: Buildspec.Phase, _ session: BuildSession, _ isSucceeding: Bool
    ) async throws -> PhaseFailure? {
        var failure: PhaseFailure?
        for (tool, version) in phase.runtimeVersions where failure == nil {
            failure = try await checkRuntime(tool, version, name, session)
        }
        if failure == nil { failure = try await runCommands(phase.commands, name, session, isSucceeding) }
        let last = try await runCommands(phase.finally, name, session, isSucceeding && failure == nil)
        return failure ?? last
    }

    private func runCommands(
        _ commands: [String], _ name: Buildspec.PhaseName, _ session: BuildSession, _ isSucceeding: Bool
    ) async throws -> PhaseFailure? {
        for command in commands {
            log.note("Running command \(command)")
            let outcome = try await session.run(command, isSucceeding: isSucceeding)
            log.endLine()
            switch outcome {
            case .finished(0, _): continue
            case .finished(let status, _):
                log.note("Command did not exit successfully \(command) exit status \(status)")
                return PhaseFailure(
                    phase: name.title, code: "COMMAND_EXECUTION_ERROR",
                    message: "Error while executing command: \(command). Reason: exit status \(status)")
            case .ended(let exit): throw ended(exit, in: name.title)
            }
        }
        return nil
    }

    /// What the end of the sandbox in the middle of a build means.
    func ended(_ exit: ChildExit, in phase: String) -> any Error {
        switch exit.stopped {
        case .cancelled: return CancellationError()
        case .timedOut:
            let failure = PhaseFailure(
                phase: phase, code: "BUILD_TIMED_OUT",
                message: "Build has timed out after \(plan.timeout.components.seconds) seconds. ", state: "TIMED_OUT")
            complete(phase, failure)
            return failure
        case nil:
            let failure = PhaseFailure(
                phase: phase, code: "INTERNAL_ERROR",
                message: "The build's environment ended unexpectedly (status \(exit.status))", state: "FAULT")
            complete(phase, failure)
            return failure
        }
    }

    /// The commands that show a runtime is there.
    private static let runtimes = [
        "android": "sdkmanager", "docker": "docker", "dotnet": "dotnet", "golang": "go", "java": "java",
        "nodejs": "node", "php": "php", "python": "python3", "ruby": "ruby",
    ]

    private func checkRuntime(
        _ tool: String, _ version: String, _ name: Buildspec.PhaseName, _ session: BuildSession
    ) async throws -> PhaseFailure? {
        let command = Self.runtimes[tool] ?? tool
        let answer = try await session.ask("command -v \(BuildSession.quoted(command)) >&3")
        if let answer, !answer.isEmpty {
            log.note(
                "Runtime \(tool) \(version): using \(String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)) of this machine, whatever its version"
            )
            return nil
        }
        return PhaseFailure(
            phase: name.title, code: "CLIENT_ERROR",
            message: "Runtime \(tool) is not available: \(command) is not installed on this machine")
    }
}
