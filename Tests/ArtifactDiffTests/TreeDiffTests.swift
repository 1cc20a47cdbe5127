import Cryptography
import Testing

@testable import ArtifactDiff

@Suite("Comparing trees")
struct TreeDiffTests {
    @Test("equal trees are equal, and nothing below their roots is looked at")
    func equal() async throws {
        let files: [String: MemoryFile] = ["a/b": .text("x"), "c": .text("y")]
        let (old, new) = (MemoryTree(files), MemoryTree(files))
        let report = try await ArtifactDiffer.compare(old: old, new: new)
        #expect(report.isEqual && report.exitCode() == 0 && !report.hasSemanticChanges)
        #expect(report.summary.prunedDirectories == 1 && report.summary.identical == 1)
        #expect(old.listed == 1 && new.listed == 1 && old.readPaths.isEmpty)
    }

    @Test("every kind of change is named")
    func statuses() async throws {
        let report = try await diff(
            [
                "same": .text("1"), "gone": .text("2"), "changed": .text("3\n"), "mode": .text("4"), "kind": .text("5"),
                "link": .link("a"), "dir/old": .text("six six six six six six six six six six"), "emptied": .directory,
            ],
            [
                "same": .text("1"), "come": .text("seven"), "changed": .text("33\n"), "mode": .text("4", mode: 0o755),
                "kind": .link("same"), "link": .link("b"), "dir/new": .text("six six six six six six six six six six"),
                "fresh": .directory,
            ])
        let found = report.changes.map { "\($0.status.rawValue) \($0.oldPath.map { $0 + ">" } ?? "")\($0.path)" }
        #expect(
            found == [
                "changed changed", "added come", "renamed dir/old>dir/new", "removed emptied", "added fresh",
                "removed gone", "kindChanged kind", "changed link", "modeChanged mode",
            ])
        #expect(report.exitCode() == 1 && report.hasSemanticChanges)
        let summary = report.summary
        #expect(summary.added == 2 && summary.removed == 2 && summary.changed == 2 && summary.renamed == 1)
        #expect(summary.modeChanged == 1 && summary.kindChanged == 1 && summary.identical == 1)
    }

    @Test("only directories on the way to a change are listed, and only changed files are read")
    func pruning() async throws {
        var files: [String: MemoryFile] = [:]
        for directory in 0..<20 {
            for file in 0..<10 { files["d\(directory)/f\(file)"] = .text("\(directory) \(file)") }
        }
        let old = MemoryTree(files)
        files["d7/f3"] = .text("changed")
        let new = MemoryTree(files)
        let report = try await ArtifactDiffer.compare(old: old, new: new)
        #expect(report.changes.map(\.path) == ["d7/f3"])
        #expect(old.listed == 2 && new.listed == 2)
        #expect(old.readPaths == ["d7/f3"] && new.readPaths == ["d7/f3"])
        #expect(report.summary.prunedDirectories == 19)
    }

    @Test("a file that becomes a directory shows what is in it")
    func fileToDirectory() async throws {
        let report = try await diff(["x": .text("1")], ["x/y": .text("2"), "x/z/w": .text("3")])
        #expect(
            report.changes.map { "\($0.status.rawValue) \($0.path)" } == ["kindChanged x", "added x/y", "added x/z/w"])
    }

    @Test("without ids, equality is proven by reading, never by checksums")
    func withoutIdentities() async throws {
        let files: [String: MemoryFile] = [
            "a": .text("one"), "b": .text("two"), "old": .text(String(repeating: "m", count: 90)),
        ]
        let old = MemoryTree(files, identity: .checksums)
        let new = MemoryTree(
            ["a": .text("one"), "b": .text("TWO"), "new": .text(String(repeating: "m", count: 90))],
            identity: .checksums)
        let report = try await ArtifactDiffer.compare(old: old, new: new)
        #expect(report.changes.map { "\($0.status.rawValue) \($0.path)" } == ["changed b", "renamed new"])
        #expect(report.summary.identical == 1)
        #expect(old.readPaths.contains("a"))
    }

    @Test("moved files are found by id, by name among equals, and by similarity")
    func renames() async throws {
        let big = (0..<60).map { "line \($0)\n" }.joined()
        let report = try await diff(
            [
                "p/a.txt": .text("same content, long enough"), "p/b.txt": .text("same content, long enough"),
                "s.swift": .text(big),
            ],
            [
                "q/b.txt": .text("same content, long enough"), "q/a.txt": .text("same content, long enough"),
                "t.swift": .text(big + "more\n"),
            ])
        let found = report.changes.map { "\($0.oldPath ?? "")>\($0.path) \($0.similarity ?? 0)" }
        #expect(found[0...1] == ["p/a.txt>q/a.txt 100", "p/b.txt>q/b.txt 100"])
        #expect(found.count == 3 && found[2].hasPrefix("s.swift>t.swift 9"))
        #expect(report.directoryRenames == [.init(from: "p", to: "q", files: 2)])
        guard case .text(let text)? = report.changes[2].content else {
            Issue.record("a similar file is compared")
            return
        }
        #expect(text.addedLines == 1 && text.removedLines == 0)
    }

    @Test("a cap on pairs is reported")
    func renameCap() async throws {
        var options = DiffOptions()
        options.similarityPairs = 3
        let old = Dictionary(
            uniqueKeysWithValues: (0..<4).map { ("o\($0).c", MemoryFile.text(String(repeating: "o\($0)", count: 40))) })
        let new = Dictionary(
            uniqueKeysWithValues: (0..<4).map { ("n\($0).c", MemoryFile.text(String(repeating: "n\($0)", count: 40))) })
        let report = try await diff(old, new, options)
        #expect(report.notices.count == 1 && report.notices[0].contains("first 3 pairs"))
        #expect(report.summary.added == 4 && report.summary.removed == 4)
    }

    @Test("filters decide before anything is read")
    func filters() async throws {
        var options = DiffOptions()
        options.filter = PathFilter(including: ["src/**"], excluding: ["*.log", "src/gen/"])
        let old = MemoryTree([
            "src/a": .text("1"), "src/x.log": .text("1"), "src/gen/g": .text("1"), "doc": .text("1"),
        ])
        let new = MemoryTree([
            "src/a": .text("2"), "src/x.log": .text("2"), "src/gen/g": .text("2"), "doc": .text("2"),
        ])
        let report = try await ArtifactDiffer.compare(old: old, new: new, options: options)
        #expect(report.changes.map(\.path) == ["src/a"])
        #expect(old.readPaths == ["src/a"])
    }

    @Test(
        "patterns match like a shell's",
        arguments: [
            ("*.txt", "a/b.txt", true), ("*.txt", "a/b.txt.gz", false), ("a/*.txt", "a/b.txt", true),
            ("a/*.txt", "a/b/c.txt", false), ("a/**", "a/b/c.txt", true), ("**/c", "a/b/c", true), ("?", "ab", false),
            ("a/", "a/b", true), ("a/", "ab", false), ("a/*b*c*", "a/xbxxc", true), ("a", "b/a", true),
        ])
    func patterns(_ pattern: String, path: String, matches: Bool) {
        #expect(PathFilter(including: [pattern]).accepts(bytes(path)) == matches)
    }

    @Test("what exceeds a limit is named and not read")
    func limits() async throws {
        var options = DiffOptions()
        options.fileBytes = 10
        let old = MemoryTree(["big": .text(String(repeating: "a", count: 11)), "small": .text("1")])
        let new = MemoryTree(["big": .text(String(repeating: "b", count: 11)), "small": .text("2")])
        var report = try await ArtifactDiffer.compare(old: old, new: new, options: options)
        #expect(report.changes[0].content == .omitted(reason: "it is larger than 10 bytes"))
        #expect(old.readPaths == ["small"])

        options = DiffOptions()
        options.timeLimit = .zero
        report = try await ArtifactDiffer.compare(old: old, new: new, options: options)
        #expect(report.changes.count == 2 && report.notices.count == 2)
        #expect(report.changes.allSatisfy { $0.content == .omitted(reason: "the time limit was reached") })

        let unread = MemoryTree(["a": .text("same")], identity: .checksums)
        report = try await ArtifactDiffer.compare(old: unread, new: unread, options: options)
        #expect(report.notices == ["1 files of equal size were not read before the time limit"])
        #expect(report.changes.map(\.classes) == [[]] && report.exitCode(ignoringNoise: true) == 1)

        options = DiffOptions(detail: .lines)
        options.outputBytes = 20
        report = try await ArtifactDiffer.compare(old: old, new: new, options: options)
        guard case .text(let text)? = report.changes[0].content else {
            Issue.record("counts are kept")
            return
        }
        #expect(text.hunks.isEmpty && text.addedLines == 1 && report.notices.count == 1)
    }

    @Test("content that cannot be read is part of the report, not its end")
    func unreadable() async throws {
        struct Broken: TreeSource {
            let base: MemoryTree
            func children(of directory: [UInt8]) async throws -> [TreeNode] { try await base.children(of: directory) }
            func read(_ file: [UInt8]) async throws -> [UInt8] { throw CancellationErrorLookalike() }
            func digest(of file: [UInt8]) async throws -> SHA256Digest { try await base.digest(of: file) }
        }
        let report = try await ArtifactDiffer.compare(
            old: Broken(base: MemoryTree(["a": .text("1")])), new: MemoryTree(["a": .text("2")]))
        guard case .omitted(let reason)? = report.changes[0].content else {
            Issue.record("the failure is reported")
            return
        }
        #expect(reason.contains("could not be read") && report.notices.count == 1)
    }

    @Test("with names only, nothing is read at all")
    func namesOnly() async throws {
        let old = MemoryTree(["a": .text("1"), "b": .text("2")])
        let new = MemoryTree(["a": .text("2"), "c": .text("2")])
        let report = try await ArtifactDiffer.compare(old: old, new: new, options: DiffOptions(detail: .names))
        #expect(report.changes.map(\.status) == [.changed, .renamed])
        #expect(old.readPaths.isEmpty && new.readPaths.isEmpty)
    }
}

private struct CancellationErrorLookalike: Error {}
