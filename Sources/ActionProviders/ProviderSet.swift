public import ArtifactStore
public import Catalog
import Foundation
public import KeyHierarchy
public import ObjectStorage
public import PipelineEngine

/// All built-in providers of one server, sharing their registries, logs and sandbox.
public struct ProviderSet: Sendable {
    /// What the pipeline engine runs actions with.
    public let runners: [any ActionRunner]
    /// What the pipeline engine looks for new revisions with.
    public let pollers: [any SourcePoller]
    /// The repositories that CodeCommit sources can name.
    public let gitRepositories: GitRepositories
    /// The projects that CodeBuild actions name.
    public let buildProjects: BuildProjects
    /// What builds wrote.
    public let buildLogs: BuildLogs
    /// How build commands are isolated on this machine.
    public let sandbox: Sandbox

    /// How build commands are isolated, in one sentence.
    public var sandboxDescription: String { sandbox.description }

    /// Assembles the providers, clears what a process that is gone left in the working directory and in the logs, and
    /// probes the sandbox.
    public static func assemble(
        catalog: Catalog, keys: KeyHierarchy, store: ArtifactStore, objects: ObjectStorage,
        configuration: ProviderConfiguration
    ) async throws -> ProviderSet {
        var configuration = configuration
        configuration.dataDirectory = realPath(configuration.dataDirectory) ?? configuration.dataDirectory
        let work = try await offload { [configuration] () throws(any Error) -> WorkDirectories in
            try WorkDirectories(dataDirectory: configuration.dataDirectory)
        }
        let sealing = KeyringSealing(keys: keys)
        let git = GitClient(work: work)
        let logs = BuildLogs(catalog: catalog, sealing: sealing)
        try await logs.closeAbandoned()
        let repositories = GitRepositories(catalog: catalog, sealing: sealing, git: git)
        let projects = BuildProjects(catalog: catalog, sealing: sealing)
        let sandbox = await Sandbox.probe(configuration)
        let host = BuildHost(
            configuration: configuration, sandbox: sandbox, work: work, logs: logs, git: git,
            repositories: repositories)
        let codeCommit = CodeCommitSource(repositories: repositories, git: git)
        let s3Source = S3Source(objects: objects)
        let artifactSource = ArtifactSource(store: store, requireKey: configuration.requireKey)
        return ProviderSet(
            runners: [
                codeCommit, s3Source, artifactSource, S3Deploy(objects: objects),
                CodeBuildRunner(host: host, projects: projects),
                CommandsRunner(host: host),
            ],
            pollers: [codeCommit, s3Source, artifactSource], gitRepositories: repositories, buildProjects: projects,
            buildLogs: logs,
            sandbox: sandbox)
    }
}
