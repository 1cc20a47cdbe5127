import Foundation
import SystemPackage
import Testing

@testable import Archives

@Suite("Unpacking to a directory")
struct ExtractionTests {
    private func name(_ text: String) throws -> EntryName { try EntryName(checking: text.utf8) }

    @Test("files, modes, links and empty directories arrive", arguments: [true, false])
    func unpack(suspending: Bool) async throws {
        let scratch = try Scratch()
        var builder = ZipBuilder()
        try builder.add(directory: "empty", permissions: 0o750)
        try builder.add(directory: "locked", permissions: 0o555)
        try builder.add(file: "locked/tool", permissions: 0o4755, bytes("#!/bin/sh\n"))
        try builder.add(file: "deep/er/file", bytes(String(repeating: "x", count: 300_000)))
        try builder.add(symlink: "link", target: "deep/er/file")
        let archive = try builder.archive()
        let target = FilePath(scratch.path + "/out")
        let report =
            suspending
            ? try await ZipReader(BufferSource(archive)).extract(to: target)
            : try LocalZipReader(archive).extract(to: target)
        #expect(report.files == 2 && report.directories == 2 && report.links == 1 && report.bytes == 300_010)
        #expect(try scratch.read("out/link").count == 300_000)
        #expect(try Self.mode(scratch.path + "/out/locked/tool") == 0o755)
        #expect(try Self.mode(scratch.path + "/out/locked") == 0o555)
        #expect(try Self.mode(scratch.path + "/out/empty") == 0o750)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: scratch.path + "/out/locked")
    }

    static func mode(_ path: String) throws -> Int {
        let value = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        return (value as? NSNumber)?.intValue ?? -1
    }

    @Test(
        "links that leave the tree are refused",
        arguments: [
            [("l", "/etc")], [("l", "..")], [("a/l", "../../x")], [("l", "a/../../x")], [("l", "")],
            // Each is harmless by itself: the first leads from a deep place to the root, the second goes up from there.
            [("d/e/up", "../.."), ("out", "d/e/up/..")],
        ])
    func badLinks(_ links: [(String, String)]) throws {
        let scratch = try Scratch()
        let writer = try TreeWriter(FilePath(scratch.path + "/out"))
        #expect(throws: ArchiveError.self) {
            for (link, target) in links { try writer.symlink(name(link), target: bytes(target)) }
            try writer.finish()
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/out")
        #expect(left.isEmpty)
    }

    @Test("links within the tree are made, loops and dangling ones too")
    func goodLinks() throws {
        let scratch = try Scratch()
        let writer = try TreeWriter(FilePath(scratch.path + "/out"))
        for (link, target) in [("a/l", "../b"), ("loop", "loop"), ("gone", "nothing/here"), ("self", ".")] {
            try writer.symlink(name(link), target: bytes(target))
        }
        try writer.finish()
        #expect(writer.report.links == 4)
    }

    @Test("a file cannot be written through a link that stands in the way")
    func plantedLink() throws {
        let scratch = try Scratch()
        let outside = try scratch.write("outside/keep", [1])
        try FileManager.default.createDirectory(atPath: scratch.path + "/out", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: scratch.path + "/out/dir", withDestinationPath: scratch.path + "/outside")
        try FileManager.default.createSymbolicLink(atPath: scratch.path + "/out/file", withDestinationPath: outside)
        let writer = try TreeWriter(FilePath(scratch.path + "/out"))
        #expect(throws: ArchiveError.self) { try writer.beginFile(name("dir/evil"), permissions: 0o644) }
        #expect(throws: ArchiveError.self) { try writer.beginFile(name("file"), permissions: 0o644) }
        #expect(try scratch.read("outside/keep") == [1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/outside") == ["keep"])
    }

    @Test("limits on entries and bytes hold while writing")
    func limits() throws {
        let scratch = try Scratch()
        let writer = try TreeWriter(
            FilePath(scratch.path + "/out"), limits: ArchiveLimits(entries: 2, totalBytes: 5))
        try writer.beginFile(name("a"), permissions: 0o644)
        #expect(throws: ArchiveError.self) { try [UInt8](repeating: 0, count: 6).withUnsafeBytes(writer.write) }
        try writer.endFile()
        try writer.directory(name("d"), permissions: 0o755)
        #expect(throws: ArchiveError.self) { try writer.beginFile(name("b"), permissions: 0o644) }
    }

    @Test("a directory with many entries is written with few descriptors open")
    func manyEntries() throws {
        let scratch = try Scratch()
        let writer = try TreeWriter(FilePath(scratch.path + "/out"))
        for index in 0..<2_000 {
            try writer.beginFile(name("flat/f\(index)"), permissions: 0o644)
            try writer.endFile()
        }
        try writer.finish()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/out/flat").count == 2_000)
    }
}
