import ArtifactStore
import Foundation
public import KeyHierarchy
public import PipelineEngine
public import PipelineModel
import SystemPackage

/// CodeCommit source actions: a branch of a registered Git repository.
public struct CodeCommitSource: ActionRunner, SourcePoller {
    let repositories: GitRepositories
    let git: GitClient

    /// Source actions of the provider CodeCommit.
    public var types: [ActionTypeID] {
        [ActionTypeID(category: .source, provider: "CodeCommit")]
    }

    /// The head of the configured branch.
    public func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision? {
        guard let name = configuration["RepositoryName"], let branch = configuration["BranchName"] else { return nil }
        let location = try await repositories.location(of: name, in: scope)
        return try await git.head(of: branch, at: location).map { SourceRevision(id: $0) }
    }

    /// Publishes the tree of the branch's head, or of the commit that the execution asks for.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let name = try job.required("RepositoryName")
        let branch = try job.required("BranchName")
        let format = job.value("OutputArtifactFormat") ?? "CODE_ZIP"
        guard ["CODE_ZIP", "CODEBUILD_CLONE_REF"].contains(format) else {
            throw ActionFailure(
                .configuration, "OutputArtifactFormat \(format) is unknown. Use CODE_ZIP or CODEBUILD_CLONE_REF")
        }
        guard let output = job.outputs.first else {
            throw ActionFailure(.configuration, "The source action \(job.action) has no output artifact")
        }
        let revision = job.revisionOverrides.first { $0.revisionType == "COMMIT_ID" }?.revisionValue
        do {
            let location = try await repositories.location(of: name, in: job.scope)
            let commit = try await git.work.withDirectory("source") { directory in
                let commit = try await self.fetch(name, branch, revision, location, directory)
                let ingest = try await context.store.beginIngest(
                    scope: job.scope, keyID: job.keyID, repository: job.pipelineName, artifact: output.name)
                do {
                    let staged: StagedContent
                    if format == "CODE_ZIP" {
                        let tree = directory + "/tree"
                        try makeDirectory(tree, mode: 0o755)
                        try await self.git.export(commit, from: directory, to: tree, location)
                        staged = try await ingest.addDirectory(FilePath(tree))
                    } else {
                        let reference = CloneReference(repositoryName: name, branchName: branch, commitId: commit.id)
                        let blob = try await ingest.openBlob()
                        try await blob.write(try reference.bytes())
                        staged = try await blob.finish()
                    }
                    _ = try await context.publish(staged, as: output.name)
                } catch {
                    ingest.abandon()
                    throw error
                }
                return commit
            }
            return outcome(commit, name, branch)
        } catch let error as ProviderError {
            throw ActionFailure(.configuration, error.message)
        } catch let error as GitError {
            throw ActionFailure(error.isTransient ? .systemUnavailable : .revisionUnavailable, error.message)
        }
    }

    private func fetch(
        _ name: String, _ branch: String, _ revision: String?, _ location: GitLocation, _ directory: String
    ) async throws -> GitCommit {
        do {
            return try await git.fetch(branch, revision: revision, from: location, into: directory)
        } catch let error as GitError {
            // git's own words do not tell a missing branch from a missing repository; asking for the heads does.
            let heads: [String: String]
            do {
                heads = try await git.heads(of: location)
            } catch let listing as GitError {
                throw GitError(
                    message: "The repository named \(name) cannot be read: \(listing.message)",
                    isTransient: listing.isTransient)
            }
            if heads[branch] == nil {
                throw GitError(message: "No branch named \(branch) was found in the repository named \(name)")
            }
            if let revision {
                throw GitError(message: "The commit \(revision) was not found in the repository named \(name)")
            }
            throw error
        }
    }

    /// CommitMessage is cut at 100 KB, on a character.
    private func outcome(_ commit: GitCommit, _ name: String, _ branch: String) -> ActionOutcome {
        var message = commit.message
        if message.utf8.count > 100_000 { message = String(decoding: message.utf8.prefix(100_000), as: UTF8.self) }
        return ActionOutcome(
            variables: [
                "CommitId": commit.id, "CommitMessage": message, "RepositoryName": name, "BranchName": branch,
                "AuthorDate": commit.authorDate, "CommitterDate": commit.committerDate,
            ],
            summary: commit.message, externalExecutionID: commit.id,
            revision: SourceRevision(id: commit.id, summary: commit.message, created: commit.committedAt))
    }
}
