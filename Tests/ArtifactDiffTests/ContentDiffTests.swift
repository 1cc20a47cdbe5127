import Testing

@testable import ArtifactDiff

@Suite("Comparing sequences")
struct SequenceMatcherTests {
    private func match(_ a: [Int32], _ b: [Int32], budget: Int = 1_000_000) -> (
        blocks: [SequenceMatcher.Block], isApproximate: Bool
    ) {
        var matcher = SequenceMatcher(a, b, distinct: Int((a + b).max() ?? 0) + 1, budget: budget)
        let blocks = matcher.match()
        return (blocks, matcher.isApproximate)
    }

    private func check(_ blocks: [SequenceMatcher.Block], _ a: [Int32], _ b: [Int32]) -> Bool {
        var (old, new) = (0, 0)
        for block in blocks {
            guard block.old >= old, block.new >= new, block.count > 0 else { return false }
            guard a[block.old..<(block.old + block.count)].elementsEqual(b[block.new..<(block.new + block.count)])
            else {
                return false
            }
            (old, new) = (block.old + block.count, block.new + block.count)
        }
        return old <= a.count && new <= b.count
    }

    /// Length of the longest common subsequence, by the textbook.
    private func longestCommon(_ a: [Int32], _ b: [Int32]) -> Int {
        var row = [Int](repeating: 0, count: b.count + 1)
        for x in a {
            var diagonal = 0
            for (index, y) in b.enumerated() {
                let above = row[index + 1]
                row[index + 1] = x == y ? diagonal + 1 : max(above, row[index])
                diagonal = above
            }
        }
        return row[b.count]
    }

    @Test("matches are true and ascending, for any input")
    func random() {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        for round in 0..<400 {
            let kinds = Int32([2, 4, 30, 1_000][round % 4])
            let a = (0..<Int.random(in: 0...90, using: &random)).map { _ in Int32.random(in: 0..<kinds, using: &random)
            }
            var b = a
            for _ in 0..<Int.random(in: 0...12, using: &random) where !b.isEmpty {
                let at = Int.random(in: b.indices, using: &random)
                if Bool.random(using: &random) {
                    b.remove(at: at)
                } else {
                    b.insert(Int32.random(in: 0..<kinds, using: &random), at: at)
                }
            }
            let (blocks, isApproximate) = match(a, b)
            #expect(check(blocks, a, b) && !isApproximate, "seed \(seed) round \(round)")
        }
    }

    @Test("where everything is frequent, the script is close to the shortest")
    func frequent() {
        var random = SeededGenerator(5)
        for _ in 0..<40 {
            let a = (0..<300).map { _ in Int32.random(in: 0..<2, using: &random) }
            let b = (0..<280).map { _ in Int32.random(in: 0..<2, using: &random) }
            let (blocks, _) = match(a, b)
            #expect(check(blocks, a, b))
            // Every element occurs often, so Myers' algorithm does the work; only small remains may find anchors.
            let matched = blocks.reduce(0) { $0 + $1.count }
            #expect(matched * 100 >= longestCommon(a, b) * 90)
        }
    }

    @Test("a single insertion in each of many equal lines is found")
    func edits() {
        let a = (0..<20_000).map { Int32($0) }
        let b = a.flatMap { $0 % 100 == 0 ? [$0, 20_000] : [$0] }
        let (blocks, isApproximate) = match(a, b)
        #expect(check(blocks, a, b) && !isApproximate)
        #expect(blocks.reduce(0) { $0 + $1.count } == a.count)
    }

    @Test("a search cut short keeps what it found on the way")
    func cutShort() {
        let a = [Int32](repeating: 0, count: 6_000)
        let b = (0..<9_000).map { Int32($0 % 2) }
        let (blocks, isApproximate) = match(a, b, budget: 4_000_000)
        #expect(isApproximate && check(blocks, a, b))
        #expect(blocks.reduce(0) { $0 + $1.count } > 500)
    }

    @Test("a spent budget is admitted, and the result still true")
    func budget() {
        let a = (0..<2_000).map { Int32($0 % 7) }
        let b = (0..<2_000).map { Int32($0 * $0 % 7) }
        let (blocks, isApproximate) = match(a, b, budget: 500)
        #expect(isApproximate && check(blocks, a, b))
    }
}

@Suite("Classifying differences")
struct NoiseTests {
    private func classes(_ old: String, _ new: String, name: String = "f.txt") async throws -> [ChangeClass] {
        try await diff([name: .text(old)], [name: .text(new)]).changes.first?.classes ?? []
    }

    @Test(
        "layout and dates are told from content",
        arguments: [
            ("a\nb\n", "a\r\nb\r\n", [ChangeClass.lineEndings]), ("a\nb\n", "a \nb\n", [.whitespace]),
            ("a\n\nb\n", "a\nb\n", [.whitespace]), ("a\n", "a", [.whitespace]), ("a\n  b\n", "a\nb\n", [.content]),
            ("a\n", "b\n", [.content]), ("built 2024-05-06\n", "built 2025-01-02\n", [.dates]),
            ("t=2024-05-06T01:02:03Z x\n", "t=2024-05-07T01:02:03.5+02:00 x\n", [.dates]),
            ("#Tue Nov 05 10:00:00 UTC 2024\n", "#Wed Dec 25 11:22:33 CET 2024\n", [.dates]),
            ("stamp 1700000000\n", "stamp 1712345678\n", [.dates]), ("id 2700000000\n", "id 2712345678\n", [.content]),
            ("v 2024-05-06 a\n", "v 2025-05-06 b\n", [.content]), ("x 2024-05-06\n", "x\n", [.content]),
            ("port 8080\n", "port 9090\n", [.content]),
            ("a 2024-01-01 \r\n", "a 2025-01-01\n", [.dates, .lineEndings]),
            ("SOURCE_DATE_EPOCH=1700000000\nx\n", "SOURCE_DATE_EPOCH=1700000001\ny\n", [.content]),
        ])
    func text(_ old: String, _ new: String, expected: [ChangeClass]) async throws {
        let found = try await classes(old, new)
        #expect(found.sorted() == expected.sorted())
    }

    @Test("a report of noise alone counts as equal where asked")
    func exitCodes() async throws {
        let report = try await diff(["a": .text("x\n")], ["a": .text("x\r\n")])
        #expect(report.exitCode() == 1 && report.exitCode(ignoringNoise: true) == 0)
        #expect(report.summary.noiseOnly == 1 && report.summary.noise == ["lineEndings": 1])
    }

    @Test("a pyc that differs in its header only says so")
    func pyc() async throws {
        let header: [UInt8] = [0xA7, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0]
        let code = [UInt8](repeating: 0, count: 40)
        let report = try await diff(
            ["m.pyc": .file(header + [1, 2, 3, 4, 5, 6, 7, 8] + code)],
            ["m.pyc": .file(header + [9, 2, 3, 4, 5, 6, 7, 8] + code)])
        #expect(report.changes[0].classes == [.pycHeader])
    }

    @Test("a wheel's RECORD that follows from changed files is a consequence, otherwise content")
    func record() async throws {
        let old: [String: MemoryFile] = [
            "x.dist-info/RECORD": .text("pkg/a.py,sha256=1,1\npkg/b.py,sha256=2,2\n"), "pkg/a.py": .text("1"),
            "pkg/b.py": .text("2"),
        ]
        var new = old
        new["pkg/a.py"] = .text("one")
        new["x.dist-info/RECORD"] = .text("pkg/a.py,sha256=3,3\npkg/b.py,sha256=2,2\n")
        #expect(try await diff(old, new).changes.last?.classes == [.checksums])
        new["x.dist-info/RECORD"] = .text("pkg/a.py,sha256=3,3\npkg/b.py,sha256=9,2\n")
        #expect(try await diff(old, new).changes.last?.classes == [.content])
    }

    @Test("ELF files name the sections that differ; a build id alone is noise")
    func elf() async throws {
        let base = ELFSample.make(text: [1, 2, 3, 4], id: [1, 1, 1, 1])
        var report = try await diff(
            ["t": .file(base)], ["t": .file(ELFSample.make(text: [1, 2, 3, 4], id: [2, 2, 2, 2]))])
        #expect(report.changes[0].classes == [.buildID])
        report = try await diff(
            ["t": .file(base)], ["t": .file(ELFSample.make(text: [9, 2, 3, 4], id: [2, 2, 2, 2]))])
        #expect(report.changes[0].classes == [.content])
        guard case .binary(let binary)? = report.changes[0].content else {
            Issue.record("ELF is binary")
            return
        }
        #expect(binary.parts == [".note.gnu.build-id", ".text"] && binary.format == "ELF")
    }

    @Test("moved blocks count as equal in binary content")
    func binary() {
        var random = SeededGenerator(3)
        let one = [0] + (0..<4_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let two = [0] + (0..<4_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let fresh = (0..<100).map { _ in UInt8.random(in: 0...255, using: &random) }
        let diff = BinaryComparer.compare(old: one + two, new: two + fresh + one, keepingBytes: false)
        #expect(diff.differingBytes >= 90 && diff.differingBytes < 400)
        let edit = BinaryComparer.compare(old: one, new: one.dropLast(50) + [1] + one.suffix(50), keepingBytes: false)
        #expect(edit.commonPrefix >= 3_951 && edit.commonSuffix >= 49 && edit.differingBytes <= 1)
    }
}

/// A minimal 64-bit ELF with the sections `.text` and `.note.gnu.build-id`.
enum ELFSample {
    static func make(text: [UInt8], id: [UInt8]) -> [UInt8] {
        let names = bytes("\0.text\0.note.gnu.build-id\0.shstrtab\0")
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        func header(_ name: Int, _ offset: Int, _ size: Int) -> [UInt8] {
            little(name, 4) + little(1, 4) + little(0, 8) + little(0, 8) + little(offset, 8) + little(size, 8)
                + little(0, 24)
        }
        let textAt = 64
        let idAt = textAt + text.count
        let namesAt = idAt + id.count
        let table = namesAt + names.count
        var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        file += little(3, 2) + little(62, 2) + little(1, 4) + little(0, 16) + little(table, 8) + little(0, 4)
        file += little(64, 2) + little(0, 4) + little(64, 2) + little(4, 2) + little(3, 2)
        file += text + id + names
        file += [UInt8](repeating: 0, count: 64)
        return file + header(1, textAt, text.count) + header(7, idAt, id.count) + header(26, namesAt, names.count)
    }
}
