import Foundation
import Glibc
import Testing

@testable import ActionProviders

/// What a command in the sandbox can and cannot do. Skipped, with the reason, where bubblewrap does not work.
@Suite struct SandboxTests {
    /// A build in the sandbox, or nil after saying why not.
    private func sandboxed(_ files: [String: String] = [:]) async throws -> TestBuild? {
        let build = try await TestBuild(files)
        guard case .bubblewrap = build.sandbox.mode else {
            let scratch = try Scratch()
            let strict = await Sandbox.probe(ProviderConfiguration(dataDirectory: scratch.path))
            print("skipped: \(strict.description)")
            return nil
        }
        return build
    }

    private func commands(_ commands: [String]) -> BuildPlan.Specification {
        let list = commands.map { "      - '" + $0.replacing("'", with: "''") + "'" }
        return .inline("version: 0.2\nphases:\n  build:\n    commands:\n" + list.joined(separator: "\n"))
    }

    @Test("Commands see their source where CodeBuild has it, and can write there")
    func places() async throws {
        guard let build = try await sandboxed(["hello.txt": "hello"]) else { return }
        _ = try await build.run(
            commands([
                "pwd; cat hello.txt; echo", "echo x > made && cat made",
                "echo $HOME; touch ~/f /tmp/g /var/tmp/h && echo ok",
            ]))
        #expect(build.output() == ["/codebuild/output/src1/src", "hello", "x", "/root", "ok"])
        #expect(FileManager.default.fileExists(atPath: build.layout.home + "/f"))
        #expect(FileManager.default.fileExists(atPath: build.layout.temporary + "/h"))
    }

    @Test("The data directory is empty there, and the rest of the machine cannot be written")
    func hidden() async throws {
        guard let build = try await sandboxed() else { return }
        try "key material".write(toFile: build.scratch.path + "/root.key", atomically: false, encoding: .utf8)
        _ = try await build.run(
            commands([
                "cat \(build.scratch.path)/root.key 2>/dev/null || echo no key",
                "ls \(build.scratch.path) 2>/dev/null | wc -l", "touch /usr/x 2>/dev/null || echo no usr",
                "touch /etc/x 2>/dev/null || echo no etc", "touch /x /codebuild/readonly/x 2>/dev/null || echo no root",
                "cat /etc/shadow 2>/dev/null | wc -c",
            ]))
        #expect(
            build.output().map { $0.trimmingCharacters(in: .whitespaces) } == [
                "no key", "0", "no usr", "no etc", "no root", "0",
            ])
    }

    @Test("The machine's data directory stays hidden when it lies on a path that is shown")
    func hiddenOnShownPath() async throws {
        guard let build = try await sandboxed() else { return }
        // /var is shown read-only; only its covered part is empty.
        let arguments = Sandbox(
            mode: build.sandbox.mode, limits: SandboxLimits(), network: .shared, dataDirectory: "/var/lib",
            visibleDirectories: [])
        let launch = try arguments.launch(
            ["/bin/sh", "-c", "ls /var/lib | wc -l; ls /var | wc -l"], environment: ["PATH": BuildSession.searchPath],
            in: build.layout)
        let result = try await ProcessRunner.run(launch, timeout: .seconds(30))
        let counts = result.text.split(separator: "\n").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        #expect(counts.count == 2 && counts.first == 0 && counts.last ?? 0 > 0, "\(result.text) \(result.errors)")
    }

    @Test("Processes of the machine are invisible, and capabilities are gone")
    func processes() async throws {
        guard let build = try await sandboxed() else { return }
        _ = try await build.run(
            commands([
                "kill -0 \(getpid()) 2>/dev/null || echo unseen", "ls /proc | grep -c '^[0-9]'",
                "mount -t tmpfs none /mnt 2>/dev/null || echo no mount", "hostname",
            ]))
        let output = build.output()
        #expect(output.first == "unseen" && output.suffix(2) == ["no mount", "build"])
        #expect(Int(output[1]) ?? 99 < 12)
    }

    @Test("A process in the background lives to the next command and dies with the build")
    func background() async throws {
        guard let build = try await sandboxed() else { return }
        _ = try await build.run(
            commands([
                "(while :; do date +%N > beat; sleep 0.05; done) & echo $! > pid", "kill -0 $(cat pid) && echo alive",
            ]))
        #expect(build.output() == ["alive"])
        let beat = build.layout.codebuild + "/output/src1/src/beat"
        let last = FileManager.default.contents(atPath: beat)
        // The sandbox was closed before run returned: nothing is left that could write.
        #expect(FileManager.default.contents(atPath: beat) == last)
        #expect(try await !isAnyoneIn(build.layout.root))
    }

    @Test("A build that is cancelled leaves no process behind")
    func cancelled() async throws {
        guard let build = try await sandboxed() else { return }
        let task = Task { try await build.run(commands(["setsid sleep 600 & echo started; sleep 600"])) }
        try await eventually { build.lines().contains("started") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await eventually { try await !isAnyoneIn(build.layout.root) }
    }

    /// Whether some process was started with the job's directory on its command line.
    private func isAnyoneIn(_ root: String) async throws -> Bool {
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int(name) != nil {
            guard let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else { continue }
            if String(decoding: data, as: UTF8.self).contains(root) { return true }
        }
        return false
    }

    @Test("Without a network there is only a loopback")
    func network() async throws {
        guard let build = try await sandboxed() else { return }
        let sandbox = Sandbox(
            mode: build.sandbox.mode, limits: SandboxLimits(), network: .none, dataDirectory: build.scratch.path,
            visibleDirectories: [])
        let launch = try sandbox.launch(
            ["/bin/sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"],
            environment: ["PATH": BuildSession.searchPath], in: build.layout)
        let result = try await ProcessRunner.run(launch, timeout: .seconds(30))
        #expect(result.text == "lo\n", "\(result.errors)")
    }

    @Test("A link that means one thing inside and another outside is read as inside")
    func links() async throws {
        guard let build = try await sandboxed() else { return }
        try "key material".write(toFile: build.scratch.path + "/root.key", atomically: false, encoding: .utf8)
        let text = """
            version: 0.2
            phases:
              build:
                commands:
                  - echo mine > /tmp/mine; echo home > ~/home
                  - ln -s /tmp/mine a; ln -s /root/home b; ln -s \(build.scratch.path)/root.key c; ln -s /etc/hostname d
            artifacts:
              files: ['**/*', /tmp/mine]
            """
        let product = try await build.run(.inline(text), outputs: ["app"])
        let files = try Scratch.read(try #require(product.outputs["app"]))
        #expect(files == ["a": "mine\n", "b": "home\n", "mine": "mine\n"])
    }

    @Test("Without bubblewrap and without leave, commands are refused with what to do about it")
    func refused() async throws {
        let build = try await TestBuild(mode: .refused("bubblewrap (bwrap) is not installed"))
        let error = await failure { try await build.run(commands(["echo never"])) }
        #expect(error?.message.contains("--allow-unsandboxed") == true)
        #expect(build.sandbox.description.contains("Install bubblewrap"))
        #expect(build.output().isEmpty)
    }

    @Test("What a crash left in the working directory is gone at the next start, read-only directories included")
    func leftovers() throws {
        let scratch = try Scratch()
        let left = scratch.path + "/work/build-old/a/b"
        try FileManager.default.createDirectory(atPath: left, withIntermediateDirectories: true)
        try "plaintext".write(toFile: left + "/file", atomically: false, encoding: .utf8)
        chmod(left, 0o500)
        symlink("/etc", scratch.path + "/work/link")
        let work = try WorkDirectories(dataDirectory: scratch.path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: work.root).isEmpty)
        #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
        var status = stat()
        #expect(stat(work.root, &status) == 0 && status.st_mode & 0o777 == 0o700)
    }
}
