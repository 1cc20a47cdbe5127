import Foundation
import Glibc
import Testing

@testable import ActionProviders

@Suite struct GitTests {
    private func repository(_ bench: Bench) async throws -> (TestRepository, GitLocation) {
        let repository = try await TestRepository(bench.scratch.path + "/origin")
        return (repository, .path(repository.path))
    }

    @Test("A branch's head is found, and a missing one is not")
    func heads() async throws {
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        let first = try await repository.commit(["a.txt": "1"], "First")
        try await repository.run("branch", "feature/x")
        try await repository.run("branch", "nested/main")
        let second = try await repository.commit(["a.txt": "2"], "Second")
        #expect(try await bench.git.head(of: "main", at: location) == second)
        #expect(try await bench.git.head(of: "feature/x", at: location) == first)
        #expect(try await bench.git.head(of: "x", at: location) == nil, "the end of a name is not the name")
        #expect(try await bench.git.heads(of: location).keys.sorted() == ["feature/x", "main", "nested/main"])
        #expect(try await bench.git.head(of: "main", at: .url("file://" + repository.path)) == second)
    }

    @Test("The tree of a commit is exported with modes and links and without .git")
    func export() async throws {
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        try Scratch.write(
            ["run.sh": "#!/bin/sh\n", ".gitattributes": "secret.txt export-ignore\n"], below: repository.path)
        chmod(repository.path + "/run.sh", 0o755)
        symlink("run.sh", repository.path + "/link")
        try await repository.commit(
            ["dir/deep/b.txt": "b", "secret.txt": "s", "ünï cöde.txt": "u", "-dash": "d"], "One\n\nBody of it.\n")
        try await bench.work.withDirectory("t") { directory in
            let commit = try await bench.git.fetch("main", revision: nil, from: location, into: directory)
            #expect(commit.message == "One\n\nBody of it.")
            #expect(commit.authorDate == "2019-10-29T03:32:21Z" && commit.committerDate == "2019-10-29T04:00:00Z")
            let tree = directory + "/tree"
            try makeDirectory(tree, mode: 0o755)
            try await bench.git.export(commit, from: directory, to: tree, location)
            #expect(
                try Scratch.read(tree) == [
                    "run.sh": "#!/bin/sh\n", ".gitattributes": "secret.txt export-ignore\n", "link": "-> run.sh",
                    "dir/deep/b.txt": "b", "secret.txt": "s", "ünï cöde.txt": "u", "-dash": "d",
                ])
            #expect(access(tree + "/run.sh", X_OK) == 0)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.work.root).isEmpty)
    }

    @Test("An older commit is fetched by its id, and an unknown one is an error")
    func revision() async throws {
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        let first = try await repository.commit(["a.txt": "1"], "First")
        try await repository.commit(["a.txt": "2"], "Second")
        try await bench.work.withDirectory("t") { directory in
            let commit = try await bench.git.fetch("main", revision: first, from: location, into: directory)
            #expect(commit.id == first && commit.message == "First")
        }
        await #expect(throws: GitError.self) {
            try await bench.work.withDirectory("t") {
                _ = try await bench.git.fetch(
                    "main", revision: String(repeating: "0", count: 39) + "1", from: location, into: $0)
            }
        }
    }

    @Test(
        "Names that are options, globs or worse never reach git",
        arguments: [
            "", "--upload-pack=x", "a..b", "a b", "a:b", "x~1", "/a", "a/", "a.lock", "refs/*", "@{u}", "a\u{1}", "@",
        ])
    func branchNames(name: String) {
        #expect(throws: GitError.self) { try GitClient.checkBranch(name) }
    }

    @Test(
        "Ordinary names are accepted",
        arguments: ["main", "feature/x", "v1.0", "ünï", "a-b_c", "100%", "$(id)", "`id`", "a;b"])
    func goodNames(name: String) throws {
        try GitClient.checkBranch(name)
    }

    @Test("A branch that is called like a command is only a name")
    func hostileBranch() async throws {
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        let id = try await repository.commit(["a.txt": "1"], "First")
        let name = "$(touch${IFS}\(bench.scratch.path.replacing("/", with: "%"))%pwned)"
        try await repository.run("branch", name)
        #expect(try await bench.git.head(of: name, at: location) == id)
    }

    @Test("Hooks and filters of a repository do not run, and its configuration has no say")
    func hostileRepository() async throws {
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        let mark = bench.scratch.path + "/pwned"
        let hook = repository.path + "/.git/hooks/post-checkout"
        try Scratch.write(["post-checkout": "#!/bin/sh\ntouch \(mark)\n"], below: repository.path + "/.git/hooks")
        chmod(hook, 0o755)
        try await repository.run("config", "filter.evil.smudge", "touch \(mark); cat")
        try await repository.run("config", "uploadpack.packObjectsHook", "touch \(mark)")
        try await repository.commit([".gitattributes": "* filter=evil\n", "a.txt": "a"], "First")
        // Committing runs the clean side of nothing; only what happens from here on counts.
        unlink(mark)
        try await bench.work.withDirectory("t") { directory in
            let commit = try await bench.git.fetch("main", revision: nil, from: location, into: directory)
            try makeDirectory(directory + "/tree", mode: 0o755)
            try await bench.git.export(commit, from: directory, to: directory + "/tree", location)
            try await bench.git.clone(
                location, branch: "main", commit: commit.id, to: directory + "/clone", directory: directory)
            #expect(try Scratch.read(directory + "/clone")["a.txt"] == "a")
        }
        #expect(access(mark, F_OK) != 0)
    }

    @Test("A repository of another owner can be read")
    func otherOwner() async throws {
        guard geteuid() == 0 else { return print("skipped: only root can give files away") }
        let bench = try await Bench()
        let (repository, location) = try await repository(bench)
        let id = try await repository.commit(["a.txt": "1"], "First")
        for path in [repository.path, repository.path + "/.git"] { chown(path, 65534, 65534) }
        chmod(bench.scratch.path, 0o755)
        #expect(try await bench.git.head(of: "main", at: location) == id)
        try await bench.work.withDirectory("t") {
            let commit = try await bench.git.fetch("main", revision: nil, from: location, into: $0)
            #expect(commit.id == id)
        }
    }

    @Test("A clone has history, the branch checked out, and no password in its remote")
    func clone() async throws {
        let bench = try await Bench()
        let (repository, _) = try await repository(bench)
        try await repository.commit(["a.txt": "1"], "First")
        let id = try await repository.commit(["a.txt": "2"], "Second")
        try await repository.commit(["a.txt": "3"], "Third")
        let location = try GitLocation("file://" + repository.path)
        try await bench.work.withDirectory("t") { directory in
            let target = directory + "/clone"
            try await bench.git.clone(location, branch: "main", commit: id, to: target, directory: directory)
            #expect(try Scratch.read(target)["a.txt"] == "2")
            #expect(try Scratch.read(target)[".git/HEAD"] == "ref: refs/heads/main\n")
        }
    }

    @Test("A registry keeps names, places and branches, sealed")
    func registry() async throws {
        let bench = try await Bench()
        let (repository, _) = try await repository(bench)
        let id = try await repository.commit(["a.txt": "1"], "First")
        let repositories = bench.repositories
        try await repositories.register("demo", at: repository.path, in: testScope)
        try await repositories.register("remote", at: "https://ada:hunter22@example.com/r.git", in: testScope)
        #expect(try await repositories.repositories(in: testScope).map(\.name) == ["demo", "remote"])
        #expect(
            try await repositories.repository("remote", in: testScope)?.location == "https://ada:***@example.com/r.git")
        #expect(
            try await repositories.location(of: "remote", in: testScope).argument
                == "https://ada:hunter22@example.com/r.git")
        #expect(try await repositories.branches(of: "demo", in: testScope) == ["main": id])
        #expect(!bench.catalogContains("hunter22"))
        try await repositories.remove("remote", in: testScope)
        for body in [
            { _ = try await repositories.location(of: "remote", in: testScope) },
            { try await repositories.remove("remote", in: testScope) },
        ] {
            let error = await #expect(throws: ProviderError.self) { try await body() }
            #expect(error?.code == "RepositoryDoesNotExistException")
        }
    }

    @Test(
        "What is no repository's place is refused",
        arguments: [
            "relative/path", "ext::sh -c id", "-upload", "https://", "ftp://x/y", "file:///a\nb", "host:path", "a@b:",
            "-oProxyCommand=x@h:p", "https://-x", "fd::3", "/nonexistent/repository", "/etc",
        ])
    func badPlaces(place: String) async throws {
        let bench = try await Bench()
        let error = await #expect(throws: ProviderError.self) {
            try await bench.repositories.register("demo", at: place, in: testScope)
        }
        #expect(error?.code == "InvalidInputException")
    }

    @Test("Bad names are refused", arguments: ["", "a b", "a/b", "x.git", "..", String(repeating: "a", count: 101)])
    func badNames(name: String) async throws {
        let bench = try await Bench()
        let error = await #expect(throws: ProviderError.self) {
            try await bench.repositories.register(name, at: "https://example.com/r", in: testScope)
        }
        #expect(error?.code == "InvalidRepositoryNameException")
    }
}
