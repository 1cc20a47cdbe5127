import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct GrowingTreeTests {
    /// A tree of files, symlinks and empty directories, as paths and contents.
    private struct Sample {
        var files: [(path: String, mode: UInt32, bytes: [UInt8])] = []
        var links: [(path: String, target: String)] = []
        var directories: [(path: String, mode: UInt32)] = []

        init(_ random: inout SeededGenerator) {
            var folders = [""]
            for index in 0..<60 {
                let parent = folders[Int.random(in: 0..<folders.count, using: &random)]
                folders.append(parent + "d\(index)/")
            }
            for index in 0..<1500 {
                let folder = folders[Int.random(in: 0..<folders.count, using: &random)]
                let mode: UInt32 = index % 7 == 0 ? 0o755 : 0o644
                files.append((folder + "file\(index)", mode, random.bytes(Int.random(in: 0..<150, using: &random))))
            }
            // More than one record of a directory holds.
            for index in 0..<2500 { files.append(("d0/wide/\(index)", 0o644, [UInt8(truncatingIfNeeded: index)])) }
            for index in 0..<20 {
                links.append((folders[Int.random(in: 0..<folders.count, using: &random)] + "link\(index)", "../x"))
            }
            for folder in folders.dropFirst() {
                let mode: UInt32 = Bool.random(using: &random) ? 0o755 : 0o700
                directories.append((String(folder.dropLast()), mode))
            }
            directories.append(("d0/wide", 0o755))
        }
    }

    private enum Step {
        case file(Int)
        case link(Int)
        case directory(Int)
    }

    private func write(_ sample: Sample, _ steps: [Step], to tree: TreeWriting) async throws -> StagedContent {
        for step in steps {
            switch step {
            case .file(let index):
                let file = sample.files[index]
                try await tree.addFile(Array(file.path.utf8), mode: file.mode, file.bytes)
            case .link(let index):
                let link = sample.links[index]
                try await tree.addSymlink(Array(link.path.utf8), target: Array(link.target.utf8))
            case .directory(let index):
                let directory = sample.directories[index]
                try await tree.addDirectory(Array(directory.path.utf8), mode: directory.mode)
            }
        }
        return try await tree.finish()
    }

    private func path(_ step: Step, _ sample: Sample) -> String {
        switch step {
        case .file(let index): sample.files[index].path
        case .link(let index): sample.links[index].path
        case .directory(let index): sample.directories[index].path
        }
    }

    @Test("a tree is the same whatever the order of its files and however little is held", arguments: [1, 2])
    func sameTree(seed: UInt64) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: seed)
        let sample = Sample(&random)
        // What a directory on disk gives, which is walked without any of this.
        let disk = fixture.folder.appending("in")
        for directory in sample.directories {
            try FileManager.default.createDirectory(
                atPath: disk.string + "/" + directory.path, withIntermediateDirectories: true)
        }
        for file in sample.files {
            let url = URL(fileURLWithPath: disk.string + "/" + file.path)
            try Data(file.bytes).write(to: url)
            try FileManager.default.setAttributes([.posixPermissions: Int(file.mode)], ofItemAtPath: url.path)
        }
        for link in sample.links {
            try FileManager.default.createSymbolicLink(
                atPath: disk.string + "/" + link.path, withDestinationPath: link.target)
        }
        for directory in sample.directories {
            try FileManager.default.setAttributes(
                [.posixPermissions: Int(directory.mode)], ofItemAtPath: disk.string + "/" + directory.path)
        }
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let expected = try await ingest.addDirectory(disk)

        let steps =
            sample.files.indices.map(Step.file) + sample.links.indices.map(Step.link)
            + sample.directories.indices.map(Step.directory)
        let sorted = steps.sorted { path($0, sample) < path($1, sample) }
        for (limit, steps) in [
            (1 << 30, steps), (1, sorted), (20_000, sorted), (1, steps.shuffled(using: &random)),
            (50_000, steps.shuffled(using: &random)),
        ] {
            let other = try await fixture.store.beginIngest(scope: fixture.scope)
            let staged = try await write(sample, steps, to: TreeWriting(other, heldBytesMaximum: limit))
            #expect(staged.contentID == expected.contentID, "seed \(seed), limit \(limit)")
            #expect(staged.root.encode() == expected.root.encode(), "seed \(seed), limit \(limit)")
            #expect(staged.fileCount == expected.fileCount)
            #expect(staged.logicalBytes == expected.logicalBytes)
        }
    }

    @Test("a name that was given twice is refused, in a directory that had ended as well", arguments: [1, 1 << 30])
    func twice(limit: Int) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        for (paths, message) in [
            (["a/x", "b/y", "a/x"], "x appears twice"), (["a/x", "b/y", "a/x/z"], "x is both a file and a directory"),
            (["a/x/z", "b/y", "a/x"], "x is both a file and a directory"), (["q", "q"], "q appears twice"),
        ] {
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
            let tree = TreeWriting(ingest, heldBytesMaximum: limit)
            let error = await #expect(throws: StoreError.self) {
                for path in paths {
                    // A target, since symlinks do not wait for others.
                    try await tree.addSymlink(Array(path.utf8), target: [0x74])
                }
                _ = try await tree.finish()
            }
            #expect(error?.message.contains(message) == true, "\(paths): \(error?.message ?? "no error")")
        }
    }

    @Test("what is held does not grow with the number of directories") func bounded() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        var tree = GrowingTree(limit: 50_000)
        var most = 0
        for index in 0..<20_000 {
            try tree.add(
                [Array("d\(index / 1000)".utf8), Array("f\(index)".utf8)], mode: 0o644, .file(.inline([1])),
                ingest.session)
            most = max(most, tree.byteCount)
            if tree.isFull { try tree.storeEnded(ingest.session) }
        }
        #expect(most < 100_000)
        #expect(tree.files == 20_000)
    }
}
