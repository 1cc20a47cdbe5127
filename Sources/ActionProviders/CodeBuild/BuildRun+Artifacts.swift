import Foundation
import PipelineEngine

/// UPLOAD_ARTIFACTS: exported variables and files.
extension BuildRun {
    func upload(_ spec: Buildspec, _ session: BuildSession, after failure: PhaseFailure?) async throws -> Product {
        var product = Product()
        if failure == nil { product.variables = try await exported(spec, session) }
        let expanded: [String: Buildspec.Artifacts]
        do {
            expanded = try await expand(spec, session)
        } catch let second as PhaseFailure {
            finish(failure ?? second)
            throw failure ?? second
        }
        // Nobody changes files any more from here on.
        let exit = await session.close()
        if exit.stopped == .timedOut { throw ended(exit, in: "UPLOAD_ARTIFACTS") }
        try Task.checkCancellation()
        do {
            product.outputs = try await collect(expanded)
            complete("UPLOAD_ARTIFACTS", nil)
        } catch let problem as ArtifactCollector.Failure {
            let second = PhaseFailure(phase: "UPLOAD_ARTIFACTS", code: "CLIENT_ERROR", message: problem.message)
            complete("UPLOAD_ARTIFACTS", second)
            finish(failure ?? second)
            throw failure ?? second
        }
        finish(failure)
        if let failure { throw failure }
        return product
    }

    private func exported(_ spec: Buildspec, _ session: BuildSession) async throws -> [String: String] {
        guard !spec.exportedVariables.isEmpty else { return [:] }
        let variables = try await session.variables()
        var result: [String: String] = [:]
        for name in spec.exportedVariables {
            if name.hasPrefix("AWS_") || name.hasPrefix("CODEBUILD_") && variables[name] == nil {
                log.note("Variable \(name) cannot be exported")
            } else if let value = variables[name] {
                result[name] = value
            } else {
                log.note("Variable \(name) is not set and is not exported")
            }
        }
        return result
    }

    /// The artifacts of each output, with variables in their paths expanded.
    private func expand(_ spec: Buildspec, _ session: BuildSession) async throws -> [String: Buildspec.Artifacts] {
        var result: [String: Buildspec.Artifacts] = [:]
        for (output, artifacts) in try chosen(spec) {
            var artifacts = artifacts
            let words = [artifacts.baseDirectory ?? "."] + artifacts.files + artifacts.excludePaths
            let expanded = try await session.expand(words)
            artifacts.baseDirectory = expanded[0].isEmpty ? "." : expanded[0]
            artifacts.files = Array(expanded[1...].prefix(artifacts.files.count))
            artifacts.excludePaths = Array(expanded[1...].dropFirst(artifacts.files.count))
            result[output] = artifacts
        }
        return result
    }

    /// Which section of the buildspec fills which output: the top one for a single output, else those of its name.
    private func chosen(_ spec: Buildspec) throws -> [String: Buildspec.Artifacts] {
        func refuse(_ message: String) -> PhaseFailure {
            let failure = PhaseFailure(phase: "UPLOAD_ARTIFACTS", code: "CLIENT_ERROR", message: message)
            complete("UPLOAD_ARTIFACTS", failure)
            return failure
        }
        var result: [String: Buildspec.Artifacts] = [:]
        for output in job.outputs {
            let named = spec.secondaryArtifacts.first { $0.id == output.name }?.artifacts
            let top = job.outputs.count == 1 ? spec.artifacts.flatMap { $0.files.isEmpty ? nil : $0 } : nil
            guard let artifacts = top ?? named else {
                throw refuse(
                    job.outputs.count == 1
                        ? "The action's output artifact \(output.name) needs an artifacts section with files in the buildspec"
                        : "No definition for secondary artifact \(output.name): with several output artifacts the buildspec's "
                            + "secondary-artifacts must be called as the outputs are")
            }
            guard !artifacts.files.isEmpty else { throw refuse("artifact \(output.name) has no files") }
            result[output.name] = artifacts
        }
        return result
    }

    private func collect(_ artifacts: [String: Buildspec.Artifacts]) async throws -> [String: String] {
        let (layout, log, directory) = (layout, log, sources.primaryDirectory)
        return try await offload { () throws(any Error) -> [String: String] in
            let collector = ArtifactCollector(layout: layout, sourceDirectory: directory) { log.note($0) }
            var result: [String: String] = [:]
            for (index, (output, artifacts)) in artifacts.sorted(by: { $0.key < $1.key }).enumerated() {
                let destination = "\(layout.outputs)/\(index)"
                try makeDirectory(destination, mode: 0o755)
                try collector.collect(artifacts, into: destination)
                result[output] = destination
            }
            return result
        }
    }
}
