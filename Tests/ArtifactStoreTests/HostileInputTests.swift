import Archives
import Foundation
import Glibc
import SystemPackage
import Testing

@testable import ArtifactStore

/// Archives, names and directories made to do harm: a clear refusal or a faithful copy.
@Suite struct HostileInputTests {
    /// Changes a ZIP's central directory: `offset` is within the entry of its only member.
    private func lie(_ zip: [UInt8], at offset: Int, _ value: UInt32) throws -> [UInt8] {
        let signature: [UInt8] = [0x50, 0x4B, 0x01, 0x02]
        let start = try #require(zip.indices.first { zip[$0...].starts(with: signature) })
        var changed = zip
        changed.putLittle(value, at: start + offset)
        return changed
    }

    private func zip(_ fixture: StoreFixture, _ files: [String: [UInt8]]) async throws -> [UInt8] {
        let root = try fixture.directory("in-\(UUID().uuidString)", files)
        let version = try await fixture.publish(directory: root, artifact: "source")
        return try await fixture.store.zip(version.id).stream().collect(upTo: 1 << 26)
    }

    /// Writes what is no sound archive to a directory: refused, or kept whole as the one file that it is.
    private func expectUntouched(_ bytes: [UInt8], _ version: Version, _ fixture: StoreFixture) async throws {
        let out = fixture.folder.appending("out-\(UUID().uuidString)")
        do {
            _ = try await fixture.store.materialise(version.id, to: out)
        } catch is StoreError {
            return
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: out.string) == ["artifact"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: out.string + "/artifact")) == Data(bytes))
    }

    /// Whether there is such a file in the store's folder: nothing may be written beside the target.
    private func outside(_ fixture: StoreFixture, _ name: String) -> Bool {
        FileManager.default.fileExists(atPath: fixture.folder.appending(name).string)
    }

    @Test("a ZIP bomb is kept byte for byte and not unpacked") func bomb() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        // 8 MiB of zeros in about 8 KiB, then a directory that promises far more.
        let bomb = try lie(
            try await zip(fixture, ["zeros": [UInt8](repeating: 0, count: 8 << 20)]), at: 24, 0xFFFF_FFF0)
        let version = try await fixture.publish(bomb)
        #expect(try await fixture.read(version) == bomb)
        try await expectUntouched(bomb, version, fixture)
        await #expect(throws: StoreError.self) {
            let (_, stream) = try await fixture.store.readFile(version.id, path: "zeros")
            for try await _ in stream {}
        }
    }

    @Test("archives that lie about lengths come back byte for byte and never as other bytes", arguments: [20, 24, 42])
    func lengths(offset: Int) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 70)
        let honest = try await zip(fixture, ["text": random.text(30_000)])
        // Compressed size, uncompressed size, place of the local header.
        for value: UInt32 in [0, 1, 100, 0x7FFF_FFFF, 0xFFFF_FFFE] {
            let lying = try lie(honest, at: offset, value)
            if lying == honest { continue }
            let version = try await fixture.publish(lying, artifact: "lying-\(value)")
            #expect(try await fixture.read(version) == lying)
            await #expect(throws: StoreError.self, "\(value) at \(offset)") {
                let (_, stream) = try await fixture.store.readFile(version.id, path: "text")
                _ = try await stream.collect(upTo: 1 << 20)
            }
            try await expectUntouched(lying, version, fixture)
        }
    }

    @Test("gzip and tar files with impossible lengths inside are kept byte for byte") func containers() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 71)
        // A gzip header whose extra field is longer than the file; a tar header that promises 8 GiB; one with rubbish.
        let gzip: [UInt8] = [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF] + random.bytes(40_000)
        var tar = [UInt8](repeating: 0, count: 512) + random.bytes(40_000)
        tar.replaceSubrange(0..<4, with: Array("name".utf8))
        tar.replaceSubrange(124..<135, with: Array("77777777777".utf8))
        tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
        var rubbish = tar
        rubbish.replaceSubrange(124..<136, with: [UInt8](repeating: 0xFF, count: 12))
        let ar =
            Array("!<arch>\nname/           0           0     0     100644  9999999999`\n".utf8) + random.bytes(40_000)
        for (name, bytes) in [("gzip", gzip), ("tar", tar), ("rubbish", rubbish), ("ar", ar)] {
            let version = try await fixture.publish(bytes, artifact: name)
            #expect(try await fixture.read(version) == bytes, "\(name)")
        }
    }

    @Test(
        "names in an archive that lead out of the target are refused",
        arguments: ["../up", "a/../../up", "/up", "a/..", "..", "a\\..\\up"])
    func traversal(name: String) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        // A name of the same length, replaced in both of its places.
        let honest = String(repeating: "x", count: name.utf8.count)
        var zip = try await zip(fixture, [honest: Array("content of a file".utf8)])
        for start in zip.indices where zip[start...].starts(with: honest.utf8) {
            zip.replaceSubrange(start..<start + name.utf8.count, with: Array(name.utf8))
        }
        let version = try await fixture.publish(zip)
        #expect(try await fixture.read(version) == zip)
        await #expect(throws: StoreError.self) {
            try await fixture.store.materialise(version.id, to: fixture.folder.appending("deep").appending("out"))
        }
        #expect(!outside(fixture, "up") && !outside(fixture, "deep/up"))
        #expect(!FileManager.default.fileExists(atPath: "/up"))
    }

    @Test(
        "a path that is given file by file must stay within the directory",
        arguments: ["..", "a/../b", ".", "a/./b", "a\0b", "a/" + String(repeating: "n", count: 256)])
    func paths(path: String) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        await #expect(throws: StoreError.self) { try await tree.addFile(Array(path.utf8), mode: 0o644, [1]) }
    }

    @Test("symlinks out of the tree are kept as they are and never followed") func symlinks() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let secret = fixture.folder.appending("secret")
        try FileManager.default.createDirectory(atPath: secret.string, withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: URL(fileURLWithPath: secret.string + "/key"))
        let root = try fixture.directory("in", ["dir/file": [1, 2, 3]])
        for (name, target) in [
            ("up", "../secret"), ("absolute", secret.string), ("loop", "loop"), ("key", "../secret/key"),
        ] {
            try FileManager.default.createSymbolicLink(atPath: root.string + "/" + name, withDestinationPath: target)
        }
        let version = try await fixture.publish(directory: root)
        let entries = try await fixture.store.entries(of: version.id)
        #expect(entries.filter { $0.kind == .symlink }.map(\.path) == ["absolute", "key", "loop", "up"])
        #expect(!entries.contains { $0.path.hasPrefix("up/") })
        await #expect(throws: StoreError.self) { _ = try await fixture.store.readFile(version.id, path: "up/key") }
        let (_, stream) = try await fixture.store.readFile(version.id, path: "key")
        #expect(try await stream.collect(upTo: 100) == Array("../secret/key".utf8))
        let out = fixture.folder.appending("out")
        _ = try await fixture.store.materialise(version.id, to: out)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: out.string + "/up") == "../secret")

        // The target holds a link where the version has a directory: what it leads to is left alone.
        let trap = fixture.folder.appending("trap")
        try FileManager.default.createDirectory(atPath: trap.string, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: trap.string + "/dir", withDestinationPath: secret.string)
        await #expect(throws: StoreError.self) { try await fixture.store.materialise(version.id, to: trap) }
        _ = try await fixture.store.materialise(version.id, to: trap, updating: true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: secret.string) == ["key"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: trap.string + "/dir/file")) == Data([1, 2, 3]))
    }

    @Test("100,000 entries in one directory are listed and found") func wide() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        for index in 0..<100_000 {
            try await tree.addFile(Array("d/\(index)".utf8), mode: 0o644, [UInt8(truncatingIfNeeded: index)])
        }
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
        #expect(version.fileCount == 100_000)
        let entries = try await fixture.store.entries(of: version.id, under: "d")
        #expect(entries.count == 100_000)
        for index in [0, 1, 4711, 99_999] {
            let (_, stream) = try await fixture.store.readFile(version.id, path: "d/\(index)")
            #expect(try await stream.collect(upTo: 10) == [UInt8(truncatingIfNeeded: index)])
        }
    }

    @Test("a path of 4,096 bytes is kept and written, or refused by name") func long() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let name = String(repeating: "n", count: 240)
        let path = (0..<16).map { _ in name }.joined(separator: "/") + "/file-at-the-end"
        let padded = path.replacingOccurrences(
            of: "file-at-the-end", with: String(repeating: "e", count: 4096 - 16 * 241))
        #expect(padded.utf8.count == 4096)
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        try await tree.addFile(Array(padded.utf8), mode: 0o644, Array("deep".utf8))
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
        #expect(try await fixture.store.entries(of: version.id).last?.path == padded)
        let (_, stream) = try await fixture.store.readFile(version.id, path: padded)
        #expect(try await stream.collect(upTo: 10) == Array("deep".utf8))
        let zip = try await fixture.store.zip(version.id).stream().collect(upTo: 1 << 20)
        #expect(try LocalZipReader(zip).members.last?.path == padded)
        // Longer than any system call takes as one path; from directory to directory it works.
        let out = fixture.folder.appending("out")
        let report = try await fixture.store.materialise(version.id, to: out)
        #expect(report.files == 1)
        let again = try await fixture.publish(directory: out, artifact: "again")
        #expect(again.contentID == version.contentID)
    }

    @Test("names that are not UTF-8 are kept as they are") func names() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let names: [[UInt8]] = [
            [0xFF, 0xFE], [0xC3, 0x28], Array("caf".utf8) + [0xE9], Array("new\nline".utf8), [0x80],
        ]
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        for (index, name) in names.enumerated() {
            try await tree.addFile(name, mode: 0o644, [UInt8(index)])
        }
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
        let listed = try await fixture.store.entries(of: version.id).map(\.rawPath)
        #expect(Set(listed) == Set(names))
        let out = fixture.folder.appending("out")
        _ = try await fixture.store.materialise(version.id, to: out)
        let again = try await fixture.publish(directory: out, artifact: "again")
        #expect(again.contentID == version.contentID)
    }
}
