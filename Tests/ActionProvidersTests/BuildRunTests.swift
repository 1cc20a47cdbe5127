import Foundation
import Testing

@testable import ActionProviders

/// The behaviour of phases, commands and artifacts, run as plain child processes so that every machine tests it.
@Suite struct BuildRunTests {
    @Test("Directory and variables carry over from command to command, and exit ends only its command")
    func continuity() async throws {
        let build = try await TestBuild.plain([
            "buildspec.yml": """
            version: 0.2
            phases:
              install:
                commands:
                  - mkdir -p deep/er && cd deep/er
                  - export GREETING="it's $((40 + 2)) \\"quoted\\""
                  - PLAIN=kept
                  - exit 0
              build:
                commands:
                  - echo "$GREETING in ${PWD##*/} with $PLAIN"
                  - |
                    if true; then
                      echo several lines
                    fi
            """
        ])
        _ = try await build.run()
        #expect(
            build.output() == [
                "it's 42 \"quoted\" in er with kept", "  echo several lines", "fi", "several lines",
            ], "a command of several lines is shown as it is")
    }

    @Test("In version 0.1 every command has a fresh shell")
    func freshShells() async throws {
        let build = try await TestBuild.plain([
            "buildspec.yml": """
            version: 0.1
            phases:
              build:
                commands: [cd /, export A=1, 'echo "${PWD##*/}:$A:"']
            """
        ])
        _ = try await build.run()
        #expect(build.output() == ["src::"])
    }

    @Test("bash is had by asking for it")
    func bash() async throws {
        guard Sandbox.find("bash") != nil else { return print("skipped: bash is not installed") }
        let build = try await TestBuild.plain()
        _ = try await build.run(
            .inline(
                """
                version: 0.2
                env: {shell: bash}
                phases:
                  build:
                    commands: ['A=(1 2 3); export N=${#A[@]}', '[[ $N == 3 ]] && echo yes ${BASH_VERSION:+bash}']
                """))
        #expect(build.output() == ["yes bash"])
    }

    @Test("The log is in the form of CodeBuild's")
    func logForm() async throws {
        let build = try await TestBuild.plain()
        let error = await failure {
            try await build.run(.inline("version: 0.2\nphases:\n  build:\n    commands: ['printf partial; exit 3']"))
        }
        #expect(
            error?.description
                == "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
                + "Error while executing command: printf partial; exit 3. Reason: exit status 3")
        let lines = build.lines()
        let stamped = #/^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} (.*)$/#
        let said = lines.compactMap { try? stamped.wholeMatch(in: $0)?.1 }.map(String.init)
        for expected in [
            "Entering phase BUILD", "Running command printf partial; exit 3",
            "Command did not exit successfully printf partial; exit 3 exit status 3",
            "Phase complete: BUILD State: FAILED",
            "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: printf partial; "
                + "exit 3. Reason: exit status 3",
            "Phase complete: POST_BUILD State: SUCCEEDED",
        ] {
            #expect(said.contains(expected), "\(expected)")
        }
        let partial = try #require(lines.firstIndex(of: "partial"))
        #expect(lines[partial - 1].hasSuffix("Running command printf partial; exit 3"))
    }

    /// Which phases run when one fails, and how the build ends.
    struct Transition: Sendable, CustomTestStringConvertible {
        let failing: String
        let onFailure: String?
        let runs: [String]
        let fails: Bool
        var testDescription: String { "\(failing) fails with on-failure \(onFailure ?? "unset")" }
    }

    @Test(
        "A failing phase leads where the table of transitions says",
        arguments: [
            Transition(failing: "install", onFailure: nil, runs: ["install"], fails: true),
            Transition(failing: "pre_build", onFailure: nil, runs: ["install", "pre_build"], fails: true),
            Transition(
                failing: "build", onFailure: nil, runs: ["install", "pre_build", "build", "post_build"], fails: true),
            Transition(
                failing: "post_build", onFailure: nil, runs: ["install", "pre_build", "build", "post_build"],
                fails: true),
            Transition(failing: "build", onFailure: "ABORT", runs: ["install", "pre_build", "build"], fails: true),
            Transition(
                failing: "pre_build", onFailure: "CONTINUE", runs: ["install", "pre_build", "build", "post_build"],
                fails: false),
            Transition(
                failing: "build", onFailure: "RETRY-2",
                runs: ["install", "pre_build", "build", "build", "build", "post_build"], fails: true),
            Transition(failing: "install", onFailure: "RETRY-1-status 9", runs: ["install"], fails: true),
            Transition(failing: "install", onFailure: "RETRY-1-status 1", runs: ["install", "install"], fails: true),
            Transition(failing: "install", onFailure: "RETRY-1-^install", runs: ["install", "install"], fails: true),
        ])
    func transitions(_ transition: Transition) async throws {
        var text = "version: 0.2\nphases:\n"
        for phase in ["install", "pre_build", "build", "post_build"] {
            text += "  \(phase):\n"
            if phase == transition.failing, let rule = transition.onFailure { text += "    on-failure: \(rule)\n" }
            text += "    commands:\n      - echo \(phase)\n"
            if phase == transition.failing { text += "      - exit 1\n      - echo never\n" }
        }
        let build = try await TestBuild.plain()
        let error = await failure { [text] in try await build.run(.inline(text)) }
        #expect((error != nil) == transition.fails)
        #expect(build.output() == transition.runs)
    }

    @Test("finally runs after a failure, and its own failure counts")
    func finally() async throws {
        let build = try await TestBuild.plain()
        let error = await failure {
            try await build.run(
                .inline(
                    """
                    version: 0.2
                    phases:
                      build:
                        commands: [echo a, 'false', echo b]
                        finally: [echo cleanup $CODEBUILD_BUILD_SUCCEEDING]
                      post_build:
                        commands: [echo after $CODEBUILD_BUILD_SUCCEEDING $CODEBUILD_LAST_EXIT]
                    """))
        }
        #expect(error?.message == "Error while executing command: false. Reason: exit status 1")
        #expect(build.output() == ["a", "cleanup 0", "after 0 0"])
        let other = try await TestBuild.plain()
        let second = await failure {
            try await other.run(
                .inline("version: 0.2\nphases:\n  build:\n    commands: [echo a]\n    finally: [exit 4]"))
        }
        #expect(second?.phase == "BUILD" && second?.message.hasSuffix("exit status 4") == true)
    }

    @Test("A RETRY that comes right succeeds")
    func retrySucceeds() async throws {
        let build = try await TestBuild.plain()
        _ = try await build.run(
            .inline(
                """
                version: 0.2
                phases:
                  build:
                    on-failure: RETRY
                    commands: ['echo x >> tries', '[ $(wc -l < tries) = 3 ]']
                """))
    }

    @Test("The action's variables win over the project's, and these over the buildspec's")
    func precedence() async throws {
        let build = try await TestBuild.plain()
        _ = try await build.run(
            .inline(
                """
                version: 0.2
                env:
                  variables: {A: spec, B: spec, C: spec, CODEBUILD_BUILD_NUMBER: forged}
                phases:
                  build:
                    commands: ['echo $A $B $C $CODEBUILD_BUILD_NUMBER $CODEBUILD_BUILD_ID $CODEBUILD_INITIATOR $AWS_REGION $CODEBUILD_CI']
                """),
            environment: [
                BuildVariable(name: "A", value: "project"), BuildVariable(name: "B", value: "project"),
                BuildVariable(name: "A", value: "it's $HOME"),
            ])
        #expect(build.output() == ["it's $HOME project spec 7 demo:b1 codepipeline/web us-east-1 true"])
    }

    @Test("Nothing of the server's environment reaches a command")
    func scrubbed() async throws {
        let build = try await TestBuild.plain()
        _ = try await build.run(
            .inline("version: 0.2\nphases:\n  build:\n    commands: ['env; ls /proc/self/fd | tr \"\\n\" \" \"']"))
        let output = build.output()
        // What a build has of its own, and what a shell sets by itself.
        let own: Set<Substring> = ["PATH", "HOME", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"]
        let names = output.dropLast().compactMap { $0.split(separator: "=", maxSplits: 1).first }
        #expect(names.contains("CODEBUILD_BUILD_ID"))
        let strangers = names.filter { !own.contains($0) && !$0.hasPrefix("CODEBUILD_") && !$0.hasPrefix("AWS_") }
        #expect(strangers.isEmpty)
        let inherited = Set(ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" })
        #expect(inherited.intersection(output).isSubset(of: ["LANG=C.UTF-8"]))
        #expect(output.last?.hasPrefix("0 1 2 3") == true, "\(output.last ?? "")")
        #expect(output.last?.split(separator: " ").count == 4, "no descriptor beyond the standard three and ls's own")
    }

    @Test("Exported variables become output variables, but not AWS's own nor what was never set")
    func exported() async throws {
        let build = try await TestBuild.plain()
        let product = try await build.run(
            .inline(
                """
                version: 0.2
                env:
                  variables: {FROM_SPEC: s}
                  exported-variables: [FROM_SPEC, TAG, MULTI, AWS_REGION, MISSING, CODEBUILD_BUILD_ID]
                phases:
                  build:
                    commands: ['export TAG="v1 exit x 0"', "MULTI='a\\nb'"]
                  post_build:
                    commands: ['TAG="$TAG+"']
                """))
        #expect(
            product.variables == [
                "FROM_SPEC": "s", "TAG": "v1 exit x 0+", "MULTI": "a\nb", "CODEBUILD_BUILD_ID": "demo:b1",
            ])
    }

    @Test(
        "A build that cannot begin fails in DOWNLOAD_SOURCE with the reason",
        arguments: [
            ("version: 0.2\nenv:\n  parameter-store: {A: /a}", "CLIENT_ERROR", "no parameter store"),
            ("version: 0.2\nenv:\n  secrets-manager: {A: s}", "CLIENT_ERROR", "no secrets manager"),
            ("version: 0.2\nenv:\n  variables: {a-b: x}", "CLIENT_ERROR", "Invalid environment variable name: a-b"),
            ("version: 0.2\nenv: {shell: powershell.exe}", "YAML_FILE_ERROR", "powershell.exe is not available"),
            ("version: 0.2\nrun-as: nobody-at-all", "YAML_FILE_ERROR", "run-as: nobody-at-all is not possible"),
            ("version: 0.2\nphases:\n  build: {run-as: x}", "YAML_FILE_ERROR", "run-as: x is not possible"),
            ("version: 0.2\nphases: [", "YAML_FILE_ERROR", "not valid YAML"),
        ])
    func refusals(text: String, code: String, reason: String) async throws {
        let build = try await TestBuild.plain()
        let error = await failure { try await build.run(.inline(text)) }
        #expect(error?.phase == "DOWNLOAD_SOURCE" && error?.code == code)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(build.lines().contains { $0.hasSuffix("Phase complete: DOWNLOAD_SOURCE State: FAILED") })
    }

    @Test("A missing buildspec is told by its path, and one behind a link out of the source is missing")
    func missing() async throws {
        let build = try await TestBuild.plain()
        let error = await failure { try await build.run() }
        #expect(error?.code == "YAML_FILE_ERROR")
        #expect(error?.message == "stat \(build.sources.primaryDirectory)/buildspec.yml: no such file or directory")
        let linked = try await TestBuild.plain()
        symlink("/etc/hostname", linked.layout.codebuild + "/output/src1/src/buildspec.yml")
        #expect(await failure { try await linked.run() }?.message.hasPrefix("stat ") == true)
    }

    @Test("A runtime that the machine has is used, another fails INSTALL")
    func runtimes() async throws {
        let build = try await TestBuild.plain()
        _ = try await build.run(.inline("version: 0.2\nphases:\n  install:\n    runtime-versions: {sh: 1}"))
        let other = try await TestBuild.plain()
        let error = await failure {
            try await other.run(.inline("version: 0.2\nphases:\n  install:\n    runtime-versions: {cobol: 85}"))
        }
        #expect(error?.phase == "INSTALL" && error?.message.contains("cobol is not installed") == true)
    }

    @Test("A build that takes too long is killed with all it started")
    func timeout() async throws {
        let build = try await TestBuild.plain()
        let error = await failure {
            try await build.run(
                .inline("version: 0.2\nphases:\n  build:\n    commands: ['sleep 600 & echo started; sleep 600']"),
                timeout: .milliseconds(700))
        }
        #expect(error?.state == "TIMED_OUT" && error?.phase == "BUILD")
        #expect(error?.description.contains("Code: BUILD_TIMED_OUT") == true)
    }

    @Test("Cancelling the task stops the build")
    func cancellation() async throws {
        let build = try await TestBuild.plain()
        let task = Task {
            try await build.run(.inline("version: 0.2\nphases:\n  build:\n    commands: ['echo started; sleep 600']"))
        }
        try await eventually { build.lines().contains("started") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("Output beyond the limit is dropped with a word, and the build goes on")
    func outputLimit() async throws {
        let build = try await TestBuild.plain(limits: SandboxLimits(outputBytesMax: 1000))
        _ = try await build.run(
            .inline("version: 0.2\nphases:\n  build:\n    commands: ['seq 1 2000', 'touch done']"),
            timeout: .seconds(60))
        let lines = build.lines()
        #expect(lines.contains { $0.hasSuffix("Output exceeds 1000 bytes; the rest is not recorded") })
        #expect(lines.filter { !$0.hasPrefix("[Container]") }.joined(separator: "\n").utf8.count <= 1000)
    }

    @Test("A memory limit stops a greedy process and nothing else")
    func memoryLimit() async throws {
        guard Sandbox.find("python3") != nil else { return print("skipped: python3 is not installed") }
        let build = try await TestBuild.plain(limits: SandboxLimits(processMemoryBytesMax: 128 << 20))
        let error = await failure {
            try await build.run(
                .inline(
                    "version: 0.2\nphases:\n  build:\n    commands: [echo fine, \"python3 -c 'x = bytearray(300 << 20)'\"]"
                ))
        }
        #expect(error?.code == "COMMAND_EXECUTION_ERROR")
        #expect(build.output().first == "fine")
    }
}
