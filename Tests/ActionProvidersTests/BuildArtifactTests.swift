import Foundation
import Testing

@testable import ActionProviders

@Suite struct BuildArtifactTests {
    /// What an artifacts section collects from the tree that `make` makes.
    struct Selection: Sendable, CustomTestStringConvertible {
        let section: String
        let files: [String]
        var testDescription: String { section.replacing("\n", with: " / ") }
    }

    private static let make = """
        version: 0.2
        env: {variables: {OUT: dist}}
        phases:
          build:
            commands:
              - mkdir -p dist/js dist-2 .hidden empty
              - echo index > dist/index.html; echo app > dist/js/app.js; echo map > dist/js/app.js.map
              - echo two > dist-2/two.txt; echo dot > .hidden/file; echo top > top.txt
              - ln -s ../top.txt dist/link; ln -s js dist/code

        """

    @Test(
        "Files are chosen as the buildspec reference says",
        arguments: [
            Selection(section: "files: [top.txt]", files: ["top.txt"]),
            Selection(section: "files: top.txt", files: ["top.txt"]),
            Selection(section: "files: ['*']", files: ["top.txt"]),
            Selection(
                section: "files: ['dist/*']",
                files: ["dist/index.html", "dist/link", "dist/code/app.js", "dist/code/app.js.map"]),
            Selection(section: "files: ['dist/js/**/*']", files: ["dist/js/app.js", "dist/js/app.js.map"]),
            Selection(section: "files: [dist/js]", files: ["dist/js/app.js", "dist/js/app.js.map"]),
            Selection(section: "files: ['**/*.js']\nbase-directory: dist", files: ["js/app.js"]),
            Selection(section: "files: ['**/*.js']\nbase-directory: $OUT", files: ["js/app.js"]),
            Selection(section: "files: ['$OUT/index.html']", files: ["dist/index.html"]),
            Selection(section: "files: ['**/*.txt']\nbase-directory: 'dist-*'", files: ["two.txt"]),
            Selection(
                section: "files: ['**/*']\nbase-directory: dist\nexclude-paths: ['**/*.map', code/**/*]",
                files: ["index.html", "js/app.js", "link"]),
            Selection(
                section: "files: ['**/*']\nbase-directory: dist\nexclude-paths: [js, code]",
                files: ["index.html", "link"]),
            Selection(
                section: "files: ['dist/js/*', top.txt]\ndiscard-paths: yes",
                files: ["app.js", "app.js.map", "top.txt"]),
            Selection(section: "files: [.hidden/file, missing]", files: [".hidden/file"]),
            Selection(section: "files: [../src/top.txt]", files: ["top.txt"]),
            Selection(section: "files: ['$CODEBUILD_SRC_DIR/top.txt']", files: ["top.txt"]),
            Selection(section: "files: [../../out.txt]\n", files: []),
            Selection(section: "files: ['nothing/*']", files: []),
        ])
    func selection(_ selection: Selection) async throws {
        let build = try await TestBuild.plain()
        let section = "artifacts:\n  " + selection.section.replacing("\n", with: "\n  ")
        let text = Self.make + section
        if selection.files.isEmpty {
            let error = await failure { try await build.run(.inline(text), outputs: ["app"]) }
            #expect(error?.phase == "UPLOAD_ARTIFACTS" && error?.message == "no matching artifact paths found")
            return
        }
        let product = try await build.run(.inline(text), outputs: ["app"])
        let files = try Scratch.read(try #require(product.outputs["app"]))
        #expect(files.keys.sorted() == selection.files.sorted())
        #expect(files["dist/link"] ?? "top\n" == "top\n", "links are followed unless they are asked for")
    }

    @Test("enable-symlinks keeps links")
    func symlinks() async throws {
        let build = try await TestBuild.plain()
        let product = try await build.run(
            .inline(Self.make + "artifacts:\n  files: ['**/*']\n  base-directory: dist\n  enable-symlinks: yes"),
            outputs: ["app"])
        let files = try Scratch.read(try #require(product.outputs["app"]))
        #expect(files["link"] == "-> ../top.txt" && files["code"] == "-> js" && files["js/app.js"] == "app\n")
    }

    @Test("A missing base directory is told")
    func missingBase() async throws {
        let build = try await TestBuild.plain()
        let error = await failure {
            try await build.run(
                .inline(Self.make + "artifacts:\n  files: ['*']\n  base-directory: nope"), outputs: ["app"])
        }
        #expect(error?.message == "no matching base directory path found for nope")
    }

    @Test("Several outputs take the secondary artifacts of their names")
    func secondary() async throws {
        let text =
            Self.make + """
                artifacts:
                  files: []
                  secondary-artifacts:
                    web: {files: ['**/*'], base-directory: dist/js}
                    notes: {files: [top.txt]}
                """
        let build = try await TestBuild.plain()
        let product = try await build.run(.inline(text), outputs: ["notes", "web"])
        #expect(try Scratch.read(try #require(product.outputs["web"])).keys.sorted() == ["app.js", "app.js.map"])
        #expect(try Scratch.read(try #require(product.outputs["notes"])).keys.sorted() == ["top.txt"])
        let other = try await TestBuild.plain()
        let error = await failure { try await other.run(.inline(text), outputs: ["notes", "other"]) }
        #expect(error?.message.hasPrefix("No definition for secondary artifact other") == true)
    }

    @Test("An output without an artifacts section fails the build")
    func undeclared() async throws {
        let build = try await TestBuild.plain()
        let error = await failure { try await build.run(.inline(Self.make), outputs: ["app"]) }
        #expect(error?.message.contains("needs an artifacts section") == true)
    }

    @Test("Nothing outside the job's own directories can be collected")
    func escape() async throws {
        let build = try await TestBuild.plain()
        let secret = build.scratch.path + "/secret"
        try "key material".write(toFile: secret, atomically: false, encoding: .utf8)
        let text = """
            version: 0.2
            phases:
              build:
                commands: ['ln -s \(secret) file; ln -s \(build.scratch.path) dir; ln -s loop loop; echo own > own']
            artifacts:
              files: ['**/*', dir/secret, '\(secret)', file]
            """
        let product = try await build.run(.inline(text), outputs: ["app"])
        #expect(try Scratch.read(try #require(product.outputs["app"])) == ["own": "own\n"])
        let other = try await TestBuild.plain()
        let error = await failure {
            try await other.run(
                .inline(
                    "version: 0.2\nphases:\n  build:\n    commands: ['ln -s \(other.scratch.path) dir']\n"
                        + "artifacts:\n  files: ['*']\n  base-directory: dir"), outputs: ["app"])
        }
        #expect(error?.message == "no matching base directory path found for dir")
    }

    @Test("Modes of files survive")
    func modes() async throws {
        let build = try await TestBuild.plain()
        let product = try await build.run(
            .inline(
                "version: 0.2\nphases:\n  build:\n    commands: ['echo x > run; chmod 755 run']\nartifacts: {files: run}"
            ),
            outputs: ["app"])
        let path = try #require(product.outputs["app"]) + "/run"
        #expect(FileManager.default.isExecutableFile(atPath: path))
    }
}
