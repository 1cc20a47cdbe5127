import Foundation
import PipelineEngine

/// DOWNLOAD_SOURCE: the build specification and the environment.
extension BuildRun {
    /// Reads the build specification and makes the environment.
    func downloadPhase() throws -> (Buildspec, BuildEnvironment) {
        do {
            let result = try prepare()
            complete("DOWNLOAD_SOURCE", nil)
            return result
        } catch let error as BuildspecError {
            let failure = PhaseFailure(phase: "DOWNLOAD_SOURCE", code: "YAML_FILE_ERROR", message: error.message)
            complete("DOWNLOAD_SOURCE", failure)
            throw failure
        } catch let failure as PhaseFailure {
            complete("DOWNLOAD_SOURCE", failure)
            throw failure
        }
    }

    private func prepare() throws -> (Buildspec, BuildEnvironment) {
        func refuse(_ message: String) -> PhaseFailure {
            PhaseFailure(phase: "DOWNLOAD_SOURCE", code: "CLIENT_ERROR", message: message)
        }
        let spec = try specification()
        try Self.checkUsers(spec)
        _ = try Self.shell(spec.shell)
        if spec.hasBatch { log.note("The batch section is ignored: this is a single build") }
        if !spec.cachePaths.isEmpty { log.note("The cache section is ignored: nothing is kept between builds") }
        if !spec.reportGroups.isEmpty { log.note("The reports section is ignored: test reports are not collected") }
        log.note("Processing environment variables")
        var environment = BuildEnvironment(plan, job: job, sources: sources, layout: layout, startedAt: startedAt)
        for (name, value) in spec.variables { environment.set(name, value) }
        if let name = spec.parameterStore.first {
            throw refuse(
                "Parameter \(name.value) for variable \(name.name) cannot be read: this server has no parameter store. "
                    + "Pass the value as a PLAINTEXT variable of the action or the project")
        }
        if let name = spec.secretsManager.first {
            throw refuse(
                "Secret for variable \(name.name) cannot be read: this server has no secrets manager. "
                    + "Pass the value as a PLAINTEXT variable of the action or the project")
        }
        for variable in plan.environment {
            guard variable.type ?? "PLAINTEXT" == "PLAINTEXT" else {
                throw refuse(
                    "Variable \(variable.name) has type \(variable.type ?? ""), which this server cannot look up. "
                        + "Use PLAINTEXT")
            }
            environment.set(variable.name, variable.value)
        }
        if let problem = environment.problem { throw refuse(problem) }
        for name in environment.refused {
            log.note("Ignoring variable \(name): names that begin with CODEBUILD_ are reserved")
        }
        log.note("Moving to directory \(sources.primaryDirectory)")
        log.note("Phases found in YAML: \(spec.phases.count)")
        for name in Buildspec.PhaseName.allCases {
            if let phase = spec.phases[name] { log.note(" \(name.title): \(phase.commands.count) commands") }
        }
        return (spec, environment)
    }

    private func specification() throws -> Buildspec {
        switch plan.specification {
        case .made(let spec): return spec
        case .inline(let text):
            log.note("Using the build specification of the project or action")
            return try BuildspecParser.parse(text)
        case .file(let path):
            if path.hasPrefix("arn:") {
                throw BuildspecError(
                    message:
                        "Build specifications by ARN are not supported (\(path)). Give a path in the source or the text"
                )
            }
            let seen = PathText.absolute(path, from: sources.primaryDirectory)
            log.note("YAML location is \(seen)")
            guard let real = layout.resolve(seen), FileManager.default.isReadableFile(atPath: real),
                let handle = FileHandle(forReadingAtPath: real)
            else { throw BuildspecError(message: "stat \(seen): no such file or directory") }
            defer { try? handle.close() }  // opened for reading: nothing to lose
            let data = try handle.read(upToCount: BuildspecParser.bytesMax + 1) ?? Data()
            guard let text = String(data: data, encoding: .utf8) else {
                throw BuildspecError(message: "\(seen) is not UTF-8 text")
            }
            return try BuildspecParser.parse(text)
        }
    }

    /// The shell's path for `env.shell`.
    static func shell(_ name: String?) throws(BuildspecError) -> String {
        switch name ?? "" {
        case "", "sh", "/bin/sh": return "/bin/sh"
        case "bash", "/bin/bash", "/usr/bin/bash":
            guard let path = Sandbox.find("bash") else {
                throw BuildspecError(message: "env shell bash is not installed")
            }
            return path
        default:
            throw BuildspecError(
                message: "env shell \(name ?? "") is not available here. Expected: bash or /bin/sh")
        }
    }

    /// Commands run as the server's own user; another one cannot be had.
    private static func checkUsers(_ spec: Buildspec) throws(BuildspecError) {
        let own = NSUserName()
        for user in [spec.runAs] + Buildspec.PhaseName.allCases.map({ spec.phases[$0]?.runAs }) {
            guard let user, user != own else { continue }
            throw BuildspecError(
                message: "run-as: \(user) is not possible: commands run as \(own) here. Remove run-as")
        }
    }
}
