import Foundation
import Testing

@testable import ArtifactDiff

@Suite("Rendering reports")
struct RendererTests {
    private func sample() async throws -> DiffReport {
        try await ArtifactDiffer.compare(
            old: MemoryTree(["a.txt": .text("one\ntwo\n"), "gone": .text("1234567890"), "crlf": .text("x\n")]),
            new: MemoryTree(["a.txt": .text("one\n2\n"), "run": .text("#!\n", mode: 0o755), "crlf": .text("x\r\n")]),
            oldName: "app@1", newName: "app@2", options: DiffOptions(detail: .lines))
    }

    @Test("the text names every path, its change and the sum of it")
    func text() async throws {
        let text = TextRenderer().render(try await sample())
        #expect(
            text == """
                app@1 → app@2
                M a.txt  (6 B, −2 B, +1 −1 lines)
                    @@ -1,2 +1,2 @@
                     one
                    -two
                    +2
                D gone  (10 B)
                A run  (3 B)
                1 changed, 1 added, 1 removed, 1 line endings only; −8 B

                """)
    }

    @Test("noise is listed on demand, colours too")
    func options() async throws {
        let text = TextRenderer(usesColour: true, showsNoise: true, showsLines: false).render(try await sample())
        #expect(text.contains("\u{1B}[2m~\u{1B}[0m crlf") && text.contains("\u{1B}[31mD\u{1B}[0m gone"))
    }

    @Test("control characters from artifacts do not reach the terminal")
    func control() async throws {
        let report = try await diff(["a": .text("x\n")], ["a": .text("\u{1B}[2Jevil\u{202E}\n"), "n\u{7}": .text("")])
        let text = TextRenderer().render(report)
        #expect(!text.contains("\u{1B}") && !text.contains("\u{7}") && !text.contains("\u{202E}"))
        #expect(text.contains("\\u{1b}[2Jevil"))
    }

    @Test("JSON comes back as the same report, bytes that are no text included")
    func json() async throws {
        let report = try await diff(
            ["a": .text("x\n"), "latin": .file([0x61, 0xE9, 0x0A]), "b": .file([0, 1, 2])],
            ["a": .text("y\n"), "latin": .file([0x61, 0xE8, 0x0A]), "b": .file([0, 1, 3])], DiffOptions(detail: .patch))
        let renderer = JSONRenderer()
        #expect(try JSONRenderer.decode(renderer.render(report)) == report)
        let text = String(decoding: try renderer.render(report), as: UTF8.self)
        #expect(text.contains("\"format\":1") && text.contains("{\"hex\":\"61e9\"}"))
    }

    @Test("JSON lines begin with a head and end with the sum")
    func jsonLines() async throws {
        let lines = String(decoding: try JSONRenderer().renderLines(try await sample()), as: UTF8.self)
            .split(separator: "\n")
        #expect(lines.count == 6)
        #expect(
            lines.first?.contains("\"type\":\"diff\"") == true && lines.last?.contains("\"type\":\"summary\"") == true)
        for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    @Test(
        "sizes read well", arguments: [(UInt64(0), "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (20 << 20, "20 MiB")])
    func sizes(_ bytes: UInt64, text: String) {
        #expect(TextRenderer.size(bytes) == text)
    }
}

@Suite("Patches for git")
struct PatchTests {
    private func git(_ arguments: [String], in directory: String) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["GIT_CONFIG_GLOBAL=/dev/null", "git", "-c", "core.autocrlf=false"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private func write(_ files: [String: MemoryFile], to directory: String) throws {
        for (path, file) in files {
            let target = directory + "/" + path
            try FileManager.default.createDirectory(
                atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            switch file.kind {
            case .symlink:
                try FileManager.default.createSymbolicLink(
                    atPath: target, withDestinationPath: String(decoding: file.content, as: UTF8.self))
            case .file:
                try Data(file.content).write(to: URL(fileURLWithPath: target))
                try FileManager.default.setAttributes([.posixPermissions: Int(file.mode)], ofItemAtPath: target)
            case .directory: break
            }
        }
    }

    private func read(_ directory: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory) where !path.hasPrefix(".git") {
            let target = directory + "/" + path
            let attributes = try FileManager.default.attributesOfItem(atPath: target)
            switch attributes[.type] as? FileAttributeType {
            case .some(.typeSymbolicLink):
                result[path] = "link " + (try FileManager.default.destinationOfSymbolicLink(atPath: target))
            case .some(.typeRegular):
                let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
                let data = try Data(contentsOf: URL(fileURLWithPath: target))
                result[path] = "\(mode & 0o100) \(data.base64EncodedString())"
            default: break
            }
        }
        return result
    }

    /// Applies the patch from `old` to `new` with git and compares the outcome.
    private func check(_ old: [String: MemoryFile], _ new: [String: MemoryFile]) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/patch-tests-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["old", "new"] {
            try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
        }
        try write(old, to: folder + "/old")
        try write(new, to: folder + "/new")
        let version = try git(["init", "-q"], in: folder + "/old")
        guard version.status == 0 else {
            print("skipped: git is not installed (\(version.output))")
            return
        }
        let report = try await diff(old, new, DiffOptions(detail: .patch))
        let patch = try PatchRenderer().render(report)
        try Data(patch).write(to: URL(fileURLWithPath: folder + "/patch"))
        let applied = try git(["apply", "--whitespace=nowarn", "../patch"], in: folder + "/old")
        #expect(applied.status == 0, "\(applied.output)\n\(String(decoding: patch, as: UTF8.self))")
        #expect(try read(folder + "/old") == read(folder + "/new"))
    }

    @Test("git applies text, binary, modes, links, renames, creation and removal")
    func everything() async throws {
        let lines = (0..<80).map { "line \($0)\n" }.joined()
        try await check(
            [
                "text": .text(lines), "no newline": .text("a\nb"), "bin": .file([0, 1, 2, 3]), "mode": .text("m\n"),
                "gone/x": .text("bye\n"), "gonebin": .file([0, 9]), "link": .link("text"), "kind": .text("k\n"),
                "move/from.txt": .text(lines + "moved\n"), "exact": .text("exactly the same content here\n"),
                "both": .text(lines + "both\n"), "latin": .file([0x61, 0xE9, 0x0A]), "empty": .text(""),
            ],
            [
                "text": .text(lines.replacingOccurrences(of: "line 7\n", with: "") + "end\n"),
                "no newline": .text("a\nc"),
                "bin": .file([0, 1, 2, 4, 5]), "mode": .text("m\n", mode: 0o755), "link": .link("bin"),
                "kind": .link("text"), "move/to.txt": .text("first\n" + lines + "moved\n"),
                "exact2": .text("exactly the same content here\n"), "both": .text(lines + "BOTH\n", mode: 0o755),
                "latin": .file([0x61, 0xE8, 0x0A]), "new/größe \"q\"\t.txt": .text("hello\n"), "newbin": .file([0, 7]),
                "newempty": .text(""), "dir with space/f": .text("1\n2\n"), "newlink": .link("text"),
            ])
    }

    @Test("git applies patches between random texts")
    func random() async throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        var old: [String: MemoryFile] = [:]
        var new: [String: MemoryFile] = [:]
        for index in 0..<40 {
            var lines = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                String(repeating: "x", count: Int.random(in: 0...3, using: &random))
            }
            old["f\(index)"] = .text(lines.joined(separator: "\n"))
            for _ in 0..<Int.random(in: 0...8, using: &random) where !lines.isEmpty {
                let at = Int.random(in: lines.indices, using: &random)
                if Bool.random(using: &random) { lines.remove(at: at) } else { lines.insert("y\(at)", at: at) }
            }
            new["f\(index)"] = .text(lines.joined(separator: "\n"))
        }
        try await check(old, new)
    }
}
