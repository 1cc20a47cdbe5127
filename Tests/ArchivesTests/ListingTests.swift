import Compression
import Foundation
import Testing

@testable import Archives

@Suite("Listing tars, ars and gzips")
struct ListingTests {
    @Test("tar members come back with content, kind, mode and time")
    func tar() throws {
        let input = ScannerTests.tar([("a", bytes("alpha")), ("d/b", ScannerTests.random(600))], time: 1_700_000_000)
        let members = try TarReader.members(of: input)
        #expect(members.map(\.name.description) == ["a", "d/b"])
        #expect(members.map(\.kind) == [.file, .file] && members.map(\.permissions) == [0o644, 0o644])
        #expect(members.map(\.modified) == [1_700_000_000, 1_700_000_000])
        #expect(Array(input[members[0].range]) == bytes("alpha"))
        #expect(Array(input[members[1].range]) == ScannerTests.random(600))
    }

    @Test("pax records override name, size and time")
    func pax() throws {
        let long = String(repeating: "n", count: 150)
        let record = { (text: String) -> String in
            // The length counts itself.
            var length = text.utf8.count + 3
            while "\(length) \(text)\n".utf8.count != length { length += 1 }
            return "\(length) \(text)\n"
        }
        let extended = bytes(record("path=\(long)") + record("mtime=1700000001.5"))
        var input = ScannerTests.tarHeader("PaxHeader", size: extended.count, type: "x") + extended
        input += [UInt8](repeating: 0, count: 512 - extended.count % 512)
        input += ScannerTests.tar([("short", bytes("x"))])
        let members = try TarReader.members(of: input)
        #expect(members.map(\.name.description) == [long] && members[0].modified == 1_700_000_001)
    }

    @Test("tars that break off, lie or climb out are refused")
    func hostileTars() throws {
        let good = ScannerTests.tar([("a", ScannerTests.random(2_000))])
        #expect(throws: ArchiveError.self) { try TarReader.members(of: Array(good[..<1_000])) }
        var broken = good
        broken[0] = 0x62
        #expect(throws: ArchiveError.self) { try TarReader.members(of: broken) }
        #expect(throws: ArchiveError.self) { try TarReader.members(of: ScannerTests.tar([("../a", [1])])) }
        #expect(throws: ArchiveError.self) {
            try TarReader.members(of: good + good, limits: ArchiveLimits(entries: 0))
        }
    }

    @Test("the system's tars are listed as they were made")
    func systemTar() throws {
        guard let tar = tool("tar") else { return }
        let scratch = try Scratch()
        let long = "sub/" + (0..<5).map { "a-rather-long-directory-name-\($0)" }.joined(separator: "/")
        _ = try scratch.write("src/" + long, bytes("deep"))
        _ = try scratch.write("src/x", ScannerTests.random(3_000))
        try FileManager.default.createSymbolicLink(atPath: scratch.path + "/src/ln", withDestinationPath: "x")
        for format in ["gnu", "pax", "ustar"] {
            #expect(
                try run(tar, ["--format=\(format)", "-cf", "../\(format).tar", "."], in: scratch.path + "/src").status
                    == 0)
            let input = try scratch.read("\(format).tar")
            let members = try TarReader.members(of: input)
            let byName = Dictionary(uniqueKeysWithValues: members.map { ($0.name.description, $0) })
            #expect(byName[long].map { Array(input[$0.range]) } == bytes("deep"), "\(format)")
            #expect(byName["x"].map { Array(input[$0.range]) } == ScannerTests.random(3_000), "\(format)")
            #expect(byName["ln"]?.kind == .symlink && byName["ln"]?.linkTarget == bytes("x"), "\(format)")
            #expect(byName["sub"]?.kind == .directory, "\(format)")
        }
    }

    @Test("ar members come back, GNU's long names too")
    func ar() throws {
        let input = ScannerTests.ar([("short", bytes("abc")), ("other", bytes("defg"))])
        let members = try ArReader.members(of: input)
        #expect(members.map { String(decoding: $0.name, as: UTF8.self) } == ["short", "other"])
        #expect(members.map { Array(input[$0.range]) } == [bytes("abc"), bytes("defg")])
        #expect(throws: ArchiveError.self) { try ArReader.members(of: Array(input.dropLast(2))) }
        guard let ar = tool("ar") else { return }
        let scratch = try Scratch()
        let long = "a-rather-long-member-name.o"
        _ = try scratch.write(long, bytes("object"))
        #expect(try run(ar, ["qc", "out.a", long], in: scratch.path).status == 0)
        let archive = try scratch.read("out.a")
        let listed = try ArReader.members(of: archive)
        #expect(listed.last.map { String(decoding: $0.name, as: UTF8.self) } == long)
        #expect(listed.last.map { Array(archive[$0.range]) } == bytes("object"))
    }

    @Test("gzips expand, several members and padding included")
    func gzip() throws {
        let one = try ScannerTests.gzip(bytes("first "), name: "a", time: 7)
        let two = try ScannerTests.gzip(bytes("second"), name: "b", time: 8)
        let content = try GzipReader.expand(one + two + [0, 0, 0], upTo: 100)
        #expect(content.bytes == bytes("first second") && content.trailingBytes == 3)
        #expect(content.headers.map(\.modified) == [7, 8] && content.headers.map(\.name) == [bytes("a"), bytes("b")])
        #expect(throws: ArchiveError.self) { try GzipReader.expand(one + two, upTo: 11) }
        #expect(throws: ArchiveError.self) { try GzipReader.expand(Array(one.dropLast(3)), upTo: 100) }
        var damaged = one
        damaged[damaged.count - 6] ^= 1
        #expect(throws: ArchiveError.self) { try GzipReader.expand(damaged, upTo: 100) }
    }

    @Test("mutated archives are listed or refused, and never anything else")
    func mutations() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let gz = try ScannerTests.gzip(bytes(String(repeating: "gz", count: 300)), time: 1)
        let tarball = ScannerTests.tar([("z", gz), ("p", ScannerTests.random(700))], time: 5)
        let corpus = [gz, tarball, ScannerTests.ar([("t.tar", tarball), ("x", ScannerTests.random(77))])]
        for round in rounds(3_000) {
            var input = corpus[round % corpus.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let header = Bool.random(using: &random) ? min(input.count, 700) : input.count
                input[Int.random(in: 0..<header, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { input.removeLast(Int.random(in: 0...input.count - 1, using: &random)) }
            for member in (try? TarReader.members(of: input)) ?? [] {
                #expect(member.range.upperBound <= input.count, "seed \(seed)")
            }
            for member in (try? ArReader.members(of: input)) ?? [] {
                #expect(member.range.upperBound <= input.count, "seed \(seed)")
            }
            _ = try? GzipReader.expand(input, upTo: 10_000)
        }
    }
}
