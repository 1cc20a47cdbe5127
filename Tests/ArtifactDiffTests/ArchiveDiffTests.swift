import Archives
import Compression
import Testing

@testable import ArtifactDiff

@Suite("Looking into archives")
struct ArchiveDiffTests {
    private func gzip(_ content: [UInt8], time: UInt8 = 0, level: Int = 6) throws -> [UInt8] {
        var result: [UInt8] = [0x1F, 0x8B, 8, 0, time, 0, 0, 0, 0, 3]
        result += try Deflater(level: level, encoder: .zlib).compressFinal(content)
        for value in [CRC32.checksum(content), UInt32(content.count)] {
            result += (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
        return result
    }

    private func zip(_ members: [(String, String)], compress: Bool = true) throws -> [UInt8] {
        var builder = ZipBuilder()
        for (name, content) in members { try builder.add(file: name, bytes(content), compress: compress) }
        return try builder.archive()
    }

    private func change(_ name: String, _ old: [UInt8], _ new: [UInt8]) async throws -> Change {
        try #require(try await diff([name: .file(old)], [name: .file(new)]).changes.first)
    }

    private let prose = String(repeating: "some prose that compresses well\n", count: 40)

    @Test("a gzip that differs in its header only is noise, and not even expanded")
    func gzipHeader() async throws {
        let found = try await change("a.json.gz", gzip(bytes(prose), time: 1), gzip(bytes(prose), time: 2))
        #expect(found.classes == [.gzipHeader] && found.isNoise && found.content == nil)
    }

    @Test("the same content compressed otherwise is noise")
    func recompressed() async throws {
        let found = try await change("a.gz", gzip(bytes(prose), level: 1), gzip(bytes(prose), level: 9))
        #expect(found.classes == [.compression])
        let members = try await change(
            "a.zip", zip([("x", prose)]), zip([("x", prose)], compress: false))
        #expect(members.classes == [.compression])
    }

    @Test("a changed line inside a gzip is found")
    func gzipContent() async throws {
        let found = try await change("log.txt.gz", gzip(bytes("a\nb\n"), time: 1), gzip(bytes("a\nc\n"), time: 2))
        #expect(found.classes == [.content, .gzipHeader])
        guard case .archive(let archive)? = found.content else {
            Issue.record("a gzip is opened")
            return
        }
        #expect(archive.formats == ["gzip"] && archive.changes.map(\.path) == ["log.txt"])
    }

    @Test("members of a zip are compared one by one")
    func zipMembers() async throws {
        let found = try await change(
            "lib.jar",
            zip([("META-INF/MANIFEST.MF", "Built: 2024-01-01\n"), ("a.txt", "one\n"), ("gone", "bye"), ("keep", prose)]
            ),
            zip([
                ("META-INF/MANIFEST.MF", "Built: 2025-01-01\n"), ("a.txt", "two\n"), ("keep", prose), ("moved", "bye"),
            ]))
        guard case .archive(let archive)? = found.content else {
            Issue.record("a zip is opened")
            return
        }
        #expect(archive.identicalMembers == 1)
        #expect(
            archive.changes.map { "\($0.status.rawValue) \($0.path) \($0.classes)" } == [
                "changed META-INF/MANIFEST.MF [ArtifactDiff.ChangeClass.dates]",
                "changed a.txt [ArtifactDiff.ChangeClass.content]", "renamed moved []",
            ])
        #expect(found.classes == [.content, .dates])
    }

    @Test("times of members alone are noise")
    func zipTimes() async throws {
        let old = try zip([("x", prose), ("y", "why")])
        var new = old
        // The date fields of the two local headers and directory entries.
        for index in 0..<(new.count - 4) where new[index] == 0x50 && new[index + 1] == 0x4B {
            if new[index + 2] == 3, new[index + 3] == 4 { new[index + 12] = 0x22 }
            if new[index + 2] == 1, new[index + 3] == 2 { new[index + 14] = 0x22 }
        }
        let found = try await change("a.zip", old, new)
        #expect(found.classes == [.archiveTimes] && found.isNoise)
    }

    @Test("archives in archives are followed")
    func nested() async throws {
        var outerOld = ZipBuilder()
        var outerNew = ZipBuilder()
        try outerOld.add(file: "lib/in.jar", zip([("deep.txt", "a\n")]))
        try outerNew.add(file: "lib/in.jar", zip([("deep.txt", "b\n")]))
        let found = try await change("app.war.gz", gzip(outerOld.archive()), gzip(outerNew.archive()))
        guard case .archive(let outer)? = found.content, case .archive(let inner)? = outer.changes.first?.content else {
            Issue.record("both levels are opened")
            return
        }
        #expect(outer.formats == ["gzip", "zip"] && inner.changes.map(\.path) == ["deep.txt"])
    }

    @Test("a damaged archive is compared as bytes, and says why")
    func damaged() async throws {
        let good = try zip([("x", prose)])
        var bad = good
        bad[bad.count - 10] ^= 0x55
        let report = try await diff(["a.zip": .file(good)], ["a.zip": .file(bad)])
        #expect(report.notices.count == 1 && report.notices[0].contains("bytes only"))
        guard case .binary? = report.changes[0].content else {
            Issue.record("bytes are compared")
            return
        }
    }

    @Test("what expands beyond the limit is not expanded")
    func bomb() async throws {
        var options = DiffOptions()
        options.expandedBytes = 1_000
        let report = try await diff(
            ["a.gz": .file(gzip([UInt8](repeating: 1, count: 50_000)))],
            ["a.gz": .file(gzip([UInt8](repeating: 2, count: 50_000)))], options)
        #expect(report.changes[0].classes == [.content] && report.notices.count == 1)
    }

    @Test("mutated archives never break a comparison")
    func fuzz() async throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let samples = [try zip([("a", prose), ("b", "bee")]), try gzip(bytes(prose)), try gzip(zip([("q", prose)]))]
        for round in 0..<300 {
            let old = samples[round % samples.count]
            var new = old
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                new[Int.random(in: new.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if old == new { continue }
            let report = try await diff(["f": .file(old)], ["f": .file(new)])
            #expect(report.changes.count == 1 && !report.changes[0].classes.isEmpty, "seed \(seed) round \(round)")
        }
    }
}
