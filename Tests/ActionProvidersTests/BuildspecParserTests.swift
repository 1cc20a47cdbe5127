import Testing

@testable import ActionProviders

@Suite struct BuildspecParserTests {
    @Test("Every documented key is read")
    func everyKey() throws {
        let spec = try BuildspecParser.parse(
            """
            version: 0.2
            run-as: root
            env:
              shell: bash
              variables:
                JAVA_HOME: /usr/lib/jvm
                PORT: 0080
                EMPTY:
              parameter-store:
                LOGIN: /app/login
              secrets-manager:
                TOKEN: prod/app:token
              exported-variables: [IMAGE_TAG, BUILD]
              git-credential-helper: yes
            proxy:
              upload-artifacts: no
              logs: no
            phases:
              install:
                run-as: root
                on-failure: ABORT
                runtime-versions:
                  java: corretto17
                  nodejs: 18
                commands:
                  - echo one
                  - |
                    echo two
                    echo three
                finally:
                  - echo cleanup
              pre_build:
                on-failure: RETRY-5-timeout.*
                commands: echo scalar
              build:
                on-failure: CONTINUE
                commands: []
              post_build:
                commands:
            reports:
              unit:
                files: ["**/*.xml"]
                file-format: JUNITXML
            artifacts:
              files:
                - target/app.jar
              name: app-$(date +%F)
              base-directory: out
              discard-paths: yes
              enable-symlinks: true
              exclude-paths: "**/*.tmp"
              s3-prefix: p
              secondary-artifacts:
                docs:
                  files: docs/**/*
                  base-directory: site
                tests:
                  files: ["**/*"]
            cache:
              paths: [/root/.m2/**/*]
            unknown-key: {a: [1, 2]}
            """)
        #expect(spec.version == .oneShell)
        #expect(spec.runAs == "root" && spec.shell == "bash")
        #expect(spec.variables.map(\.name) == ["JAVA_HOME", "PORT", "EMPTY"])
        #expect(spec.variables.map(\.value) == ["/usr/lib/jvm", "0080", ""])
        #expect(spec.parameterStore.first?.value == "/app/login")
        #expect(spec.secretsManager.first?.value == "prod/app:token")
        #expect(spec.exportedVariables == ["IMAGE_TAG", "BUILD"])
        let install = try #require(spec.phases[.install])
        #expect(install.commands == ["echo one", "echo two\necho three\n"] && install.finally == ["echo cleanup"])
        #expect(install.runtimeVersions.map(\.name) == ["java", "nodejs"] && install.onFailure == .abort)
        #expect(spec.phases[.preBuild]?.commands == ["echo scalar"])
        #expect(spec.phases[.preBuild]?.onFailure == .retry(attempts: 5, pattern: "timeout.*"))
        #expect(spec.phases[.build]?.onFailure == .proceed)
        #expect(spec.phases[.postBuild]?.commands == [])
        let artifacts = try #require(spec.artifacts)
        #expect(artifacts.files == ["target/app.jar"] && artifacts.excludePaths == ["**/*.tmp"])
        #expect(artifacts.discardsPaths && artifacts.keepsSymlinks && artifacts.baseDirectory == "out")
        #expect(artifacts.name == "app-$(date +%F)")
        #expect(spec.secondaryArtifacts.map(\.id) == ["docs", "tests"])
        #expect(spec.secondaryArtifacts[0].artifacts.files == ["docs/**/*"])
        #expect(spec.reportGroups == ["unit"] && spec.cachePaths == ["/root/.m2/**/*"])
    }

    @Test("A document in JSON, as CDK writes it, is read")
    func json() throws {
        let spec = try BuildspecParser.parse(
            """
            {
              "version": "0.2",
              "phases": {"build": {"commands": ["npm ci", "npx cdk synth"]}},
              "artifacts": {"base-directory": "cdk.out", "files": "**/*"}
            }
            """)
        #expect(spec.phases[.build]?.commands == ["npm ci", "npx cdk synth"])
        #expect(spec.artifacts?.files == ["**/*"] && spec.artifacts?.baseDirectory == "cdk.out")
    }

    @Test("A document as chalice writes it is read")
    func chalice() throws {
        let spec = try BuildspecParser.parse(
            """
            version: '0.1'
            phases:
              install:
                commands:
                - sudo pip install --upgrade awscli
                - chalice package /tmp/packaged
            artifacts:
              type: zip
              files:
              - transformed.yaml
            """)
        #expect(spec.version == .freshShells && spec.artifacts?.files == ["transformed.yaml"])
    }

    @Test("Anchors and merge keys work")
    func anchors() throws {
        let spec = try BuildspecParser.parse(
            """
            version: 0.2
            x: &common
              on-failure: ABORT
              commands: [echo shared]
            phases:
              install: *common
              build:
                <<: *common
                commands: [echo own]
            """)
        #expect(spec.phases[.install]?.commands == ["echo shared"])
        #expect(spec.phases[.build]?.commands == ["echo own"] && spec.phases[.build]?.onFailure == .abort)
    }

    @Test(
        "What cannot be used is refused with the reason",
        arguments: [
            ("version: 0.2\nphases:\n  build:\n    commands:\n      - echo \"a: b\"", "found subkeys"),
            ("version: 0.3\nphases: {}", "version 0.3"), ("phases: {}", "no version"),
            ("just text", "not a YAML mapping"),
            ("- a\n- b", "not a YAML mapping"), ("", "not a YAML mapping"),
            ("version: 0.2\nphases: [a", "not valid YAML"),
            ("version: 0.2\nphases:\n  compile:\n    commands: [make]", "Invalid buildspec phase name: compile"),
            ("version: 0.2\nphases:\n  build:\n    on-failure: PANIC", "Invalid on-failure value: PANIC"),
            ("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-101", "at most 100"),
            ("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-3-(", "not a regular expression"),
            ("version: 0.2\nphases: text", "phases to be a mapping"),
            ("version: 0.2\nartifacts:\n  discard-paths: maybe", "discard-paths to be yes or no"),
            ("version: 0.2\nenv:\n  variables:\n    A: [1]", "string type"),
        ])
    func refusals(text: String, reason: String) {
        let error = #expect(throws: BuildspecError.self) { try BuildspecParser.parse(text) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test(
        "on-failure takes a count, a pattern or both",
        arguments: [
            ("ABORT", Buildspec.OnFailure.abort), ("continue", .proceed), ("RETRY", .retry(attempts: 3, pattern: nil)),
            ("RETRY-0", .retry(attempts: 0, pattern: nil)), ("RETRY-7", .retry(attempts: 7, pattern: nil)),
            ("RETRY-net.*", .retry(attempts: 3, pattern: "net.*")),
            ("RETRY-2-net.*", .retry(attempts: 2, pattern: "net.*")),
            ("RETRY-5xx", .retry(attempts: 3, pattern: "5xx")),
        ])
    func onFailure(text: String, expected: Buildspec.OnFailure) throws {
        #expect(try BuildspecParser().onFailure(text) == expected)
    }

    @Test("Aliases that multiply are refused before they fill the memory")
    func aliasBomb() {
        var text = "version: 0.2\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...8 {
            let reference = "*a\(level - 1)"
            text += "a\(level): &a\(level) [\(Array(repeating: reference, count: 9).joined(separator: ", "))]\n"
        }
        text += "phases:\n  build:\n    commands: *a8\n"
        #expect(throws: BuildspecError.self) { try BuildspecParser.parse(text) }
    }
}
