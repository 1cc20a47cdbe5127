import Foundation

/// What `git` could not do.
struct GitError: Error, CustomStringConvertible {
    let message: String
    /// Whether trying again may help.
    var isTransient = false
    var description: String { message }
}

/// One commit, as output variables want it.
struct GitCommit: Sendable, Equatable {
    let id: String
    let message: String
    /// ISO 8601, UTC.
    let authorDate: String
    let committerDate: String
    let committedAt: Date
}

/// Runs the `git` binary. Names and addresses are arguments of their own, never part of a shell's text; the
/// repository's configuration and the user's have no say.
struct GitClient: Sendable {
    let work: WorkDirectories
    let timeout: Duration

    init(work: WorkDirectories, timeout: Duration = .seconds(600)) {
        self.work = work
        self.timeout = timeout
    }

    // MARK: - Looking

    /// The commit at the head of each branch.
    func heads(of location: GitLocation) async throws -> [String: String] {
        try await work.withDirectory("git") { directory in
            try await self.listHeads(of: location, pattern: "refs/heads/*", directory)
        }
    }

    /// The commit at the head of one branch, or nil when there is no such branch.
    func head(of branch: String, at location: GitLocation) async throws -> String? {
        try Self.checkBranch(branch)
        return try await work.withDirectory("git") { directory in
            try await self.listHeads(of: location, pattern: "refs/heads/\(branch)", directory)[branch]
        }
    }

    private func listHeads(of location: GitLocation, pattern: String, _ directory: String) async throws
        -> [String: String]
    {
        let result = try await git(["ls-remote", "--", location.argument, pattern], directory, location)
        var heads: [String: String] = [:]
        for line in result.text.split(separator: "\n") {
            let fields = line.split(separator: "\t", maxSplits: 1)
            guard fields.count == 2, fields[1].hasPrefix("refs/heads/") else { continue }
            heads[String(fields[1].dropFirst("refs/heads/".count))] = String(fields[0])
        }
        return heads
    }

    /// - Throws: `ProviderError` unless a Git repository is at `path`.
    func checkRepository(atPath path: String) async throws {
        do {
            _ = try await heads(of: .path(path))
        } catch let error as GitError {
            throw ProviderError("InvalidInputException", "No Git repository at \(path): \(error.message)")
        }
    }

    // MARK: - Fetching

    /// Brings a branch's head, or `revision`, into a fresh repository in `directory` and returns the commit.
    func fetch(
        _ branch: String, revision: String?, from location: GitLocation, into directory: String
    ) async throws -> GitCommit {
        try Self.checkBranch(branch)
        _ = try await git(["init", "--quiet", "--bare", "--template=", "--", "\(directory)/git"], directory, location)
        let repository = "--git-dir=\(directory)/git"
        let options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
        let target = "+refs/heads/\(branch):refs/heads/fetched"
        guard let revision else {
            _ = try await git(
                [repository] + options + ["--depth=1", "--", location.argument, target], directory, location)
            return try await commit("refs/heads/fetched", repository, directory, location)
        }
        try Self.checkRevision(revision)
        do {
            // Most servers hand out any commit by its id; from others the whole branch must come.
            _ = try await git(
                [repository] + options + ["--depth=1", "--", location.argument, revision], directory, location)
        } catch is GitError {
            _ = try await git([repository] + options + ["--", location.argument, target], directory, location)
        }
        return try await commit(revision, repository, directory, location)
    }

    private func commit(_ name: String, _ repository: String, _ directory: String, _ location: GitLocation) async throws
        -> GitCommit
    {
        let result = try await git(
            [
                repository, "log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%H%n%at%n%ct%n%B", name,
                "--",
            ],
            directory, location)
        let fields = result.text.split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count == 4, let author = Int64(fields[1]), let committer = Int64(fields[2]) else {
            throw GitError(message: "git described commit \(name) in an unexpected way")
        }
        return GitCommit(
            id: String(fields[0]), message: fields[3].trimmingCharacters(in: .newlines),
            authorDate: CivilTime(secondsSince1970: author).iso8601,
            committerDate: CivilTime(secondsSince1970: committer).iso8601,
            committedAt: Date(timeIntervalSince1970: Double(committer)))
    }

    /// Writes the files of a fetched commit, without `.git`, to the existing directory `target`.
    func export(_ commit: GitCommit, from directory: String, to target: String, _ location: GitLocation) async throws {
        let repository = "--git-dir=\(directory)/git"
        _ = try await git([repository, "read-tree", commit.id], directory, location)
        _ = try await git(
            [repository, "--work-tree=\(target)", "checkout-index", "--all", "--force", "--prefix=\(target)/"],
            directory, location)
    }

    /// A full clone with history, at `commit` on `branch`, in `target`, which must not exist.
    func clone(
        _ location: GitLocation, branch: String, commit: String, to target: String, directory: String
    ) async throws {
        try Self.checkBranch(branch)
        try Self.checkRevision(commit)
        _ = try await git(
            ["clone", "--quiet", "--no-local", "--no-checkout", "--template=", "--", location.argument, target],
            directory, location)
        _ = try await git(
            ["-C", target, "checkout", "--quiet", "--force", "-B", branch, commit, "--"], directory, location)
        // What a build reads is its own to keep; the password is not.
        _ = try await git(["-C", target, "remote", "set-url", "origin", location.shown], directory, location)
    }

    // MARK: - Running

    /// Runs git with a configuration of our own and none of anybody else's.
    private func git(_ arguments: [String], _ directory: String, _ location: GitLocation) async throws -> CommandResult
    {
        guard let executable = Sandbox.find("git") else {
            throw GitError(message: "git is not installed on this server")
        }
        // The other side's repository may belong to somebody else; it is only read, and none of its hooks run.
        let configuration = "\(directory)/gitconfig"
        if !FileManager.default.fileExists(atPath: configuration) {
            let text =
                "[safe]\n\tdirectory = *\n[core]\n\tautocrlf = false\n\thooksPath = /dev/null\n[advice]\n\tdetachedHead = false\n"
            guard FileManager.default.createFile(atPath: configuration, contents: Data(text.utf8)) else {
                throw GitError(message: "cannot write git's configuration")
            }
        }
        let launch = Launch(
            executable: executable, arguments: arguments,
            environment: [
                "PATH": BuildSession.searchPath, "HOME": directory, "LC_ALL": "C", "TZ": "UTC",
                "GIT_CONFIG_GLOBAL": configuration, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
                "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh", "GIT_PROTOCOL_FROM_USER": "0",
                "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new",
                "GIT_ASKPASS": "/bin/false", "GIT_LFS_SKIP_SMUDGE": "1",
            ], directory: directory)
        let result = try await ProcessRunner.run(launch, timeout: timeout)
        switch result.exit.stopped {
        case .cancelled: throw CancellationError()
        case .timedOut:
            throw GitError(
                message: "git did not answer within \(timeout.components.seconds) seconds", isTransient: true)
        case nil: break
        }
        guard result.exit.succeeded else {
            throw GitError(message: Self.complaint(result.errors, location), isTransient: location.isRemote)
        }
        return result
    }

    private static func complaint(_ errors: String, _ location: GitLocation) -> String {
        let lines = errors.split(separator: "\n").map(String.init)
        let line = lines.first { $0.hasPrefix("fatal:") || $0.hasPrefix("error:") } ?? lines.last ?? "git failed"
        return line.replacing(location.argument, with: location.shown)
    }

    // MARK: - Names

    /// The rules of git-check-ref-format(1), as far as they keep a branch's name from being anything else.
    static func checkBranch(_ name: String) throws(GitError) {
        let isBad =
            name.isEmpty || name.hasPrefix("-") || name.hasPrefix("/") || name.hasSuffix("/") || name.hasSuffix(".")
            || name.hasSuffix(".lock") || name == "@" || name.utf8.count > 256
            || ["..", "//", "@{", "/."].contains { name.contains($0) } || name.hasPrefix(".")
            || name.unicodeScalars.contains {
                $0.value < 33 || $0.value == 127 || "~^:?*[\\".unicodeScalars.contains($0)
            }
        if isBad { throw GitError(message: "\(name) is not a valid branch name") }
    }

    static func checkRevision(_ revision: String) throws(GitError) {
        guard [40, 64].contains(revision.utf8.count), revision.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
            throw GitError(message: "\(revision) is not a full commit id")
        }
    }
}

extension GitLocation {
    var isRemote: Bool {
        if case .url(let url) = self { return !url.hasPrefix("file://") }
        return false
    }
}
