import Archives
import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct RoundTripTests {
    @Test(
        "bytes come back as they were",
        arguments: [0, 1, 64, 65, 4096, 16 << 10, 16 << 10 + 1, 70_000, 256 << 10, 300_000, 1 << 20])
    func blob(count: Int) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: UInt64(count))
        for bytes in [random.bytes(count), random.text(count)] {
            let version = try await fixture.publish(bytes)
            #expect(version.contentID == SHA256.digest(bytes))
            #expect(version.logicalBytes == Int64(count))
            #expect(version.zip.byteCount == Int64(count))
            let whole = try await fixture.read(version)
            #expect(whole == bytes)
            let listed = try await fixture.store.version(version.id)
            #expect(listed.contentID == version.contentID)
            #expect(listed.number == version.number)
        }
    }

    @Test("any range of a blob is that range") func ranges() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 7)
        let bytes = random.bytes(600_000) + random.text(400_000)
        let version = try await fixture.publish(bytes)
        for _ in 0..<40 {
            let from = Int(random.next() % UInt64(bytes.count))
            let to = from + Int(random.next() % UInt64(bytes.count - from + 1))
            let part = try await fixture.read(version, Int64(from)..<Int64(to))
            #expect(part == Array(bytes[from..<to]))
        }
        await #expect(throws: StoreError.self) { try await fixture.read(version, 0..<Int64(bytes.count + 1)) }
    }

    @Test("the second push of the same content stores nothing but its version") func duplicates() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 8)
        let bytes = random.bytes(900_000)
        let first = try await fixture.publish(bytes)
        let second = try await fixture.publish(bytes)
        #expect(first.newStoredBytes > 900_000)
        #expect(second.newStoredBytes == 0)
        #expect(second.number == first.number + 1)
        let whole = try await fixture.read(second)
        #expect(whole == bytes)
    }

    @Test("one byte inserted at the start costs about one chunk") func insertion() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 9)
        let bytes = random.bytes(1 << 20)
        _ = try await fixture.publish(bytes)
        let second = try await fixture.publish([1] + bytes)
        #expect(second.newStoredBytes < 300_000)
    }

    @Test("a directory keeps its files, modes, links and empty directories") func tree() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 10)
        let root = try fixture.directory(
            "in",
            [
                "tiny": [1, 2, 3], "empty": [], "bin/tool": random.bytes(100_000), "src/a.txt": random.text(5000),
                "src/deep/er/b.txt": random.text(200_000),
            ])
        let files = FileManager.default
        try files.createDirectory(atPath: root.string + "/nothing", withIntermediateDirectories: true)
        try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: root.string + "/bin/tool")
        try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: root.string + "/tiny")
        try files.createSymbolicLink(atPath: root.string + "/link", withDestinationPath: "src/a.txt")
        let version = try await fixture.publish(directory: root)
        #expect(version.fileCount == 6)

        let entries = try await fixture.store.entries(of: version.id)
        #expect(
            entries.map(\.path) == [
                "bin", "bin/tool", "empty", "link", "nothing", "src", "src/a.txt", "src/deep", "src/deep/er",
                "src/deep/er/b.txt", "tiny",
            ])
        #expect(entries.first { $0.path == "link" }?.linkTarget == "src/a.txt")
        #expect(entries.first { $0.path == "bin/tool" }?.isExecutable == true)

        let (entry, stream) = try await fixture.store.readFile(
            version.id, path: "src/deep/er/b.txt", range: 1000..<150_000)
        let part = try await stream.collect(upTo: 1 << 20)
        let original = try Data(contentsOf: URL(fileURLWithPath: root.string + "/src/deep/er/b.txt"))
        #expect(part == [UInt8](original[1000..<150_000]))
        #expect(entry.contentID == SHA256.digest([UInt8](original)))

        let out = fixture.folder.appending("out")
        let report = try await fixture.store.materialise(version.id, to: out)
        #expect(report.files == 5)
        #expect(report.symlinks == 1)
        try expectEqual(root.string, out.string)
        // What was written is the same tree again.
        let again = try await fixture.publish(directory: out)
        #expect(again.contentID == version.contentID)
        #expect(again.newStoredBytes < 1000, "nothing but the manifest, which holds the directory")
    }

    @Test("a directory that is there is updated: only what differs is written") func update() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let root = fixture.folder.appending("in")
        try write(["a": "one", "b/c": "two", "b/d": "three", "kind": "file", "e/f/g": "deep"], to: root.string)
        let first = try await fixture.publish(directory: root)
        let out = fixture.folder.appending("out")
        _ = try await fixture.store.materialise(first.id, to: out)

        for gone in ["b/d", "kind", "e"] { try FileManager.default.removeItem(atPath: root.string + "/" + gone) }
        try write(["b/c": "TWO", "kind/now": "directory", "new": "x"], to: root.string)
        try FileManager.default.createSymbolicLink(atPath: root.string + "/e", withDestinationPath: "a")
        chmod(root.string + "/a", 0o755)
        let second = try await fixture.publish(directory: root)
        // What is no version's, and a link that leads outside.
        try write(["stray/deep": "?", "outside": "safe"], to: fixture.folder.string)
        try FileManager.default.moveItem(atPath: fixture.folder.string + "/stray", toPath: out.string + "/stray")
        try FileManager.default.createSymbolicLink(atPath: out.string + "/new", withDestinationPath: "../outside")

        let report = try await fixture.store.materialise(second.id, to: out, updating: true)
        #expect(report.files == 4)
        #expect(report.unchanged == 1, "a changed its mode only")
        #expect(report.removed == 2)
        try expectEqual(root.string, out.string)
        #expect(try String(contentsOfFile: fixture.folder.string + "/outside", encoding: .utf8) == "safe")
        let again = try await fixture.store.materialise(second.id, to: out, updating: true)
        #expect(again.unchanged == again.files)
        await #expect(throws: StoreError.self) {
            _ = try await fixture.store.materialise(second.id, to: out)
        }
        let back = try await fixture.store.materialise(first.id, to: out, updating: true)
        #expect(back.files == 5)
        #expect(try await fixture.publish(directory: out).contentID == first.contentID)
    }

    @Test("large directories are split and found again") func wide() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let tree = try await ingest.openTree()
        for index in 0..<5000 {
            try await tree.addFile(Array("many/file-\(index)".utf8), mode: 0o644, Array("\(index)".utf8))
        }
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
        let entries = try await fixture.store.entries(of: version.id, under: "many", recursive: false)
        #expect(entries.count == 5000)
        #expect(entries.map(\.path) == entries.map(\.path).sorted())
        let (_, stream) = try await fixture.store.readFile(version.id, path: "many/file-4711")
        let bytes = try await stream.collect(upTo: 100)
        #expect(bytes == Array("4711".utf8))
    }

    @Test("a directory's ZIP has the announced length, unpacks to the directory, and any range of it is exact")
    func zip() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 11)
        let root = try fixture.directory(
            "in",
            [
                "tiny": [1, 2, 3], "empty": [], "random": random.bytes(300_000), "text": random.text(400_000),
                "mixed": random.text(200_000) + random.bytes(200_000), "a/b/c.json": random.text(3000),
            ])
        let version = try await fixture.publish(directory: root)
        let zip = try await fixture.store.zip(version.id)
        let bytes = try await zip.stream().collect(upTo: 1 << 24)
        #expect(Int64(bytes.count) == zip.byteCount)
        #expect(zip.byteCount == version.zip.byteCount)
        #expect(zip.etag == version.zip.etag)
        let reader = try LocalZipReader(bytes)
        for member in reader.members where member.kind == .file {
            let expected = try Data(contentsOf: URL(fileURLWithPath: root.string + "/" + member.path))
            let unpacked = try reader.bytes(of: member)
            #expect(unpacked == [UInt8](expected), "\(member.path)")
        }
        for _ in 0..<25 {
            let from = Int(random.next() % UInt64(bytes.count))
            let to = from + Int(random.next() % UInt64(bytes.count - from + 1))
            let part = try await zip.stream(range: Int64(from)..<Int64(to)).collect(upTo: 1 << 24)
            #expect(part == Array(bytes[from..<to]))
        }
    }

    @Test("an uploaded ZIP comes back byte for byte and can be looked into") func uploadedZip() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 12)
        let root = try fixture.directory("in", ["a/text": random.text(90_000), "b": random.bytes(70_000)])
        let tree = try await fixture.publish(directory: root)
        let zip = try await fixture.store.zip(tree.id).stream().collect(upTo: 1 << 24)
        let version = try await fixture.publish(zip, artifact: "zip")
        let whole = try await fixture.read(version)
        #expect(whole == zip)
        let entries = try await fixture.store.entries(of: version.id)
        #expect(entries.filter { $0.kind == .file }.map(\.path) == ["a/text", "b"])
        let (_, stream) = try await fixture.store.readFile(version.id, path: "a/text", range: 10..<80_000)
        let part = try await stream.collect(upTo: 1 << 20)
        let original = try Data(contentsOf: URL(fileURLWithPath: root.string + "/a/text"))
        #expect(part == [UInt8](original[10..<80_000]))
        let out = fixture.folder.appending("out")
        _ = try await fixture.store.materialise(version.id, to: out)
        try expectEqual(root.string, out.string)
    }

    private func write(_ files: [String: String], to root: String) throws {
        for (path, text) in files {
            let url = URL(fileURLWithPath: root + "/" + path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
    }

    private func expectEqual(_ a: String, _ b: String) throws {
        let files = FileManager.default
        let left = try files.subpathsOfDirectory(atPath: a).sorted()
        #expect(left == (try files.subpathsOfDirectory(atPath: b).sorted()))
        for path in left {
            let one = try files.attributesOfItem(atPath: a + "/" + path)
            let two = try files.attributesOfItem(atPath: b + "/" + path)
            #expect(one[.type] as? FileAttributeType == two[.type] as? FileAttributeType)
            switch one[.type] as? FileAttributeType {
            case .typeRegular?:
                #expect(files.contents(atPath: a + "/" + path) == files.contents(atPath: b + "/" + path))
                #expect(one[.posixPermissions] as? Int == two[.posixPermissions] as? Int, "\(path)")
            case .typeSymbolicLink?:
                let target = try files.destinationOfSymbolicLink(atPath: a + "/" + path)
                #expect(target == (try files.destinationOfSymbolicLink(atPath: b + "/" + path)))
            default: break
            }
        }
    }
}
