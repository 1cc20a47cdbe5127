import Foundation
public import PipelineEngine
public import PipelineModel

/// Runs CodeBuild actions: the buildspec of the source or the project, in a sandbox on this machine.
public struct CodeBuildRunner: ActionRunner {
    let host: BuildHost
    let projects: BuildProjects

    /// Build and Test actions of the provider CodeBuild.
    public var types: [ActionTypeID] {
        [
            ActionTypeID(category: .build, provider: "CodeBuild"),
            ActionTypeID(category: .test, provider: "CodeBuild"),
        ]
    }

    /// Runs one build.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let name = try job.required("ProjectName")
        if try job.flag("BatchEnabled", default: false) {
            throw ActionFailure(
                .configuration, "Batch builds are not available. Remove BatchEnabled from action \(job.action)")
        }
        let primary = job.value("PrimarySource")
        if let primary, !job.inputs.contains(where: { $0.name == primary }) {
            throw ActionFailure(
                .configuration, "PrimarySource \(primary) is not an input artifact of action \(job.action)")
        }
        if primary == nil, job.inputs.count > 1 {
            throw ActionFailure(
                .configuration, "Action \(job.action) has several input artifacts and needs PrimarySource")
        }
        let variables = try Self.variables(job)
        let project: BuildProject
        let number: Int64
        do {
            (project, number) = try await projects.begin(name, in: job.scope)
        } catch let error as ProviderError {
            throw ActionFailure(.configuration, error.message)
        }
        let specification = (job.value("BuildspecOverride") ?? project.buildspec).map(BuildPlan.Specification.init)
        let plan = BuildPlan(
            buildID: UUID().uuidString.lowercased(), project: name, logGroup: "/aws/codebuild/\(name)",
            buildNumber: number, specification: specification ?? .file("buildspec.yml"),
            environment: project.environment + variables, image: project.image,
            timeout: .seconds(60 * project.timeoutMinutes), primary: primary)
        return try await host.build(plan, job, in: context)
    }

    /// The action's `EnvironmentVariables`: a JSON array of `{name, value, type}`.
    static func variables(_ job: ActionJob) throws(ActionFailure) -> [BuildVariable] {
        guard let text = job.value("EnvironmentVariables") else { return [] }
        do {
            return try JSONDecoder().decode([BuildVariable].self, from: Data(text.utf8))
        } catch {
            throw ActionFailure(
                .configuration,
                "EnvironmentVariables of action \(job.action) is not a JSON array of objects with name, value and type")
        }
    }
}

/// Runs Commands actions: the action's own commands, as a build without a project.
public struct CommandsRunner: ActionRunner {
    let host: BuildHost

    /// Compute actions of the provider Commands.
    public var types: [ActionTypeID] {
        [ActionTypeID(category: .compute, provider: "Commands")]
    }

    /// Runs the commands one after the other.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        guard !job.commands.isEmpty else {
            throw ActionFailure(.configuration, "The action \(job.action) has no commands")
        }
        var spec = Buildspec()
        spec.phases[.build] = Buildspec.Phase(onFailure: .abort, commands: job.commands)
        spec.exportedVariables = job.outputVariables
        if let output = job.outputs.first {
            spec.artifacts = Buildspec.Artifacts(files: output.files.isEmpty ? ["**/*"] : output.files)
        }
        let plan = BuildPlan(
            buildID: UUID().uuidString.lowercased(), project: job.pipelineName,
            logGroup: "/aws/codepipeline/\(job.pipelineName)", buildNumber: Int64(job.executionNumber),
            specification: .made(spec),
            environment: job.environment.map { BuildVariable(name: $0.name, value: $0.value, type: $0.type) },
            image: "aws/codebuild/standard:7.0", timeout: .seconds(3600), primary: nil)
        return try await host.build(plan, job, in: context)
    }
}
