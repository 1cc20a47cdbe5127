import Catalog
import Foundation
import KeyHierarchy

@testable import ActionProviders

/// A catalog and keys in a scratch directory, and the registries over them.
struct Bench: Sendable {
    let scratch: Scratch
    let catalog: Catalog
    let keys: KeyHierarchy
    let work: WorkDirectories
    let git: GitClient
    let logs: BuildLogs
    let repositories: GitRepositories
    let projects: BuildProjects

    init() async throws {
        scratch = try Scratch()
        try makeDirectory(scratch.path + "/keys", mode: 0o700)
        catalog = try Catalog(
            path: scratch.path + "/catalog.db", migrations: KeySchema.migrations + ProviderSchema.migrations)
        keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: scratch.path + "/keys"))
        work = try WorkDirectories(dataDirectory: scratch.path)
        git = GitClient(work: work, timeout: .seconds(60))
        let sealing = KeyringSealing(keys: keys)
        logs = BuildLogs(catalog: catalog, sealing: sealing)
        repositories = GitRepositories(catalog: catalog, sealing: sealing, git: git)
        projects = BuildProjects(catalog: catalog, sealing: sealing)
    }

    /// Whether any file of the catalog holds these bytes.
    func catalogContains(_ text: String) -> Bool {
        ["", "-wal", "-shm"].contains { suffix in
            guard let data = FileManager.default.contents(atPath: scratch.path + "/catalog.db" + suffix) else {
                return false
            }
            return data.range(of: Data(text.utf8)) != nil
        }
    }
}

/// A real repository, driven by the real git.
struct TestRepository: Sendable {
    let path: String

    init(_ path: String) async throws {
        self.path = path
        try makeDirectory(path, mode: 0o755)
        try await run("init", "--quiet", "--initial-branch=main")
        try await run("config", "user.name", "Ada")
        try await run("config", "user.email", "ada@example.com")
    }

    /// Commits the files and returns the commit.
    @discardableResult func commit(_ files: [String: String], _ message: String) async throws -> String {
        try Scratch.write(files, below: path)
        try await run("add", "--all")
        try await run("commit", "--quiet", "--allow-empty", "--message", message)
        return try await run("rev-parse", "HEAD").trimmingCharacters(in: .newlines)
    }

    @discardableResult func run(_ arguments: String...) async throws -> String {
        let launch = Launch(
            executable: Sandbox.find("git") ?? "git", arguments: arguments,
            environment: [
                "PATH": BuildSession.searchPath, "HOME": path, "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_DATE": "2019-10-29T04:32:21+01:00", "GIT_COMMITTER_DATE": "2019-10-29T05:00:00+01:00",
            ], directory: path)
        let result = try await ProcessRunner.run(launch, timeout: .seconds(60))
        guard result.exit.succeeded else { throw GitError(message: result.errors) }
        return result.text
    }
}
