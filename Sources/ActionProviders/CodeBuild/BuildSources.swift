import ArtifactStore
import Foundation
import PipelineEngine
import SystemPackage

/// The input artifacts of a build, unpacked where its commands find them.
struct BuildSources: Sendable {
    /// The primary source's directory, as commands see it.
    let primaryDirectory: String
    /// The variables that say where sources are and what they were made from.
    let variables: [String: String]

    /// Unpacks all inputs of a job.
    static func unpack(
        _ job: ActionJob, primary: String?, into layout: JobLayout, store: ArtifactStore, git: GitClient,
        repositories: GitRepositories, note: (String) -> Void
    ) async throws -> BuildSources {
        var variables: [String: String] = [:]
        let primary = primary ?? job.inputs.first?.name
        var primaryDirectory: String?
        for input in job.inputs {
            let parent = "\(layout.codebuild)/output/src\(number())"
            try makeDirectory(parent, mode: 0o755)
            let directory = "\(parent)/src"
            try await unpack(input, into: directory, layout, job, store, git, repositories)
            let seen = layout.seen(directory)
            let location = "arn:aws:s3:::\(input.bucket)/\(input.objectKey)"
            variables["CODEBUILD_SRC_DIR_\(input.name)"] = seen
            variables["CODEBUILD_SOURCE_VERSION_\(input.name)"] = location
            variables["CODEBUILD_RESOLVED_SOURCE_VERSION_\(input.name)"] = revision(of: input, job)
            if input.name == primary {
                primaryDirectory = seen
                variables["CODEBUILD_SRC_DIR"] = seen
                variables["CODEBUILD_SOURCE_VERSION"] = location
                variables["CODEBUILD_RESOLVED_SOURCE_VERSION"] = revision(of: input, job)
                note("CODEBUILD_SRC_DIR=\(seen)")
            }
        }
        if primaryDirectory == nil {
            let parent = "\(layout.codebuild)/output/src\(number())"
            try makeDirectory(parent, mode: 0o755)
            try makeDirectory("\(parent)/src", mode: 0o755)
            primaryDirectory = layout.seen("\(parent)/src")
            variables["CODEBUILD_SRC_DIR"] = primaryDirectory
        }
        // Names with characters that no shell can say stay out of the environment.
        variables = variables.filter { BuildEnvironment.isIdentifier($0.key) }
        return BuildSources(primaryDirectory: primaryDirectory ?? "/", variables: variables)
    }

    /// The revision that an input was made from: its own if it is a source, else the only one there is.
    private static func revision(of input: JobArtifact, _ job: ActionJob) -> String? {
        let own = job.revisions.first { $0.artifactName == input.name }
        return (own ?? (job.revisions.count == 1 ? job.revisions.first : nil))?.revision.id
    }

    private static func number() -> String { String(UInt32.random(in: 100_000_000...UInt32.max)) }

    private static func unpack(
        _ input: JobArtifact, into directory: String, _ layout: JobLayout, _ job: ActionJob, _ store: ArtifactStore,
        _ git: GitClient, _ repositories: GitRepositories
    ) async throws {
        let version = try await store.version(input.version)
        if version.rootKind == .blob, version.logicalBytes <= Int64(CloneReference.bytesMax) {
            let bytes = try await store.read(input.version).collect(upTo: CloneReference.bytesMax)
            if let reference = CloneReference.read(bytes) {
                let location = try await repositories.location(of: reference.repositoryName, in: job.scope)
                // git's own files stay out of the build's sight.
                let scratch = layout.outputs + "/clone-\(number())"
                try makeDirectory(scratch, mode: 0o700)
                try await git.clone(
                    location, branch: reference.branchName, commit: reference.commitId, to: directory,
                    directory: scratch)
                await offload { removeTree(scratch) }
                return
            }
        }
        try makeDirectory(directory, mode: 0o755)
        if version.rootKind == .blob, try await !store.isArchive(input.version) {
            throw PhaseFailure(
                phase: "DOWNLOAD_SOURCE", code: "CLIENT_ERROR",
                message: "input artifact \(input.name) is not a ZIP archive")
        }
        _ = try await store.materialise(input.version, to: FilePath(directory))
    }
}

extension ArtifactStore {
    /// Whether a blob looks like a ZIP archive: its first bytes are those of an entry or of an empty directory.
    func isArchive(_ id: VersionID) async throws -> Bool {
        let version = try await version(id)
        guard version.rootKind == .blob else { return true }
        guard version.logicalBytes >= 22 else { return false }
        let head = try await read(id, range: 0..<4).collect(upTo: 4)
        return head == [0x50, 0x4B, 3, 4] || head == [0x50, 0x4B, 5, 6]
    }
}
