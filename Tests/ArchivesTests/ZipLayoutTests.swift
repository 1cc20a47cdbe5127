import Compression
import Testing

@testable import Archives

@Suite("Laying out zips")
struct ZipLayoutTests {
    /// Entries in the order of a tree walk.
    private func tree(_ random: inout SeededGenerator, count: Int) -> [ZipEntry] {
        var entries: [ZipEntry] = []
        func fill(_ path: String, _ depth: Int, _ budget: Int) {
            var names: Set<String> = []
            for _ in 0..<budget {
                let length = Int.random(in: 1...(Int.random(in: 0..<20, using: &random) == 0 ? 200 : 9), using: &random)
                names.insert(String((0..<length).map { _ in "ab-.0öß"[Int.random(in: 0..<7, using: &random)] }))
            }
            for name in names.subtracting([".", ".."]).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                if entries.count >= count { return }
                let kind = Int.random(in: 0..<10, using: &random)
                if kind == 0, depth < 6 {
                    entries.append(.directory(bytes(path + name), permissions: 0o700))
                    fill(path + name + "/", depth + 1, Int.random(in: 0...min(budget, 60), using: &random))
                } else {
                    entries.append(file(path + name, kind, &random))
                }
            }
        }
        while entries.count < count { entries = []; fill("", 0, count) }
        return entries
    }

    private func file(_ name: String, _ kind: Int, _ random: inout SeededGenerator) -> ZipEntry {
        let size = Int64.random(in: 0...40, using: &random)
        let isDeflate = kind > 6
        return ZipEntry(
            name: bytes(name), permissions: UInt16.random(in: 0...0o777, using: &random),
            kind: kind == 1 ? .symlink : .file,
            method: isDeflate ? .deflate : .stored, crc32: UInt32.random(in: 0...UInt32.max, using: &random),
            compressedSize: size, uncompressedSize: isDeflate ? size * 3 : size)
    }

    private func payload(_ entry: Int, _ size: Int64) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: Int64(entry) * 31 + $0) }
    }

    private func packed(_ entries: [ZipEntry]) throws -> ZipLayout {
        var layout = ZipLayout()
        for (index, entry) in entries.enumerated() { try layout.append(entry, mark: UInt64(index) << 40) }
        return layout
    }

    @Test(
        "entries given one by one, all at once, and written field by field make the same bytes, wherever they are cut")
    func cuts() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        for count in [1, 3, 5, 40] {
            let entries = tree(&random, count: count)
            let layout = try packed(entries)
            var measure = ZipMeasure()
            for entry in entries { try measure.add(entry) }
            let expected = ReferenceZip.bytes(entries) { payload($0, entries[$0].compressedSize) }
            #expect(measure.totalBytes == Int64(expected.count))
            #expect(layout.totalBytes == Int64(expected.count))
            #expect(ZipWriterTests.render(try ZipLayout(entries: entries), 0..<layout.totalBytes) == expected)
            let isShort = expected.count < 1200
            for cut in 0...(isShort ? layout.totalBytes : 60) {
                let cut = isShort ? cut : Int64.random(in: 0...layout.totalBytes, using: &random)
                let head = ZipWriterTests.render(layout, 0..<cut)
                let tail = ZipWriterTests.render(layout, cut..<layout.totalBytes)
                try #require(head + tail == expected, "seed \(seed), \(count) entries cut at \(cut)")
            }
        }
    }

    @Test("a layout of several blocks begins anywhere, and hands back the marks")
    func blocks() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let entries = tree(&random, count: 2500)
        let layout = try packed(entries)
        #expect(layout.blocks.count > 1)
        let expected = ReferenceZip.bytes(entries) { payload($0, entries[$0].compressedSize) }
        #expect(ZipWriterTests.render(layout, 0..<layout.totalBytes) == expected)
        for _ in 0..<300 {
            let start = Int64.random(in: 0..<layout.totalBytes, using: &random)
            let end = min(layout.totalBytes, start + Int64.random(in: 1...400, using: &random))
            let part = ZipWriterTests.render(layout, start..<end)
            try #require(part == Array(expected[Int(start)..<Int(end)]), "seed \(seed), \(start)..<\(end)")
            var segments = layout.segments(in: start..<end)
            while let segment = segments.next() {
                guard case .payload(let entry, _) = segment else { continue }
                #expect(segments.member?.mark == UInt64(entry) << 40)
                #expect(segments.member?.entry == entries[entry])
            }
        }
    }

    @Test("around 4 GiB and 65,535 entries every header and length is as written field by field")
    func edges() throws {
        let limit: Int64 = 0xFFFF_FFFF
        for first in [limit - 70, limit - 31, limit - 30, limit - 1, limit, limit + 1, 5 << 30] {
            let entries = ["a", "b", "c"].enumerated().map { index, name in
                let size = index == 0 ? first : 20
                return ZipEntry(
                    name: bytes(name), permissions: 0o644, kind: .file, method: .deflate, crc32: 9,
                    compressedSize: size,
                    uncompressedSize: index == 1 ? first : size)
            }
            let layout = try packed(entries)
            #expect(layout.totalBytes == ReferenceZip.byteCount(entries))
            var offset: Int64 = 0
            var directory: [UInt8] = []
            for entry in entries {
                let header = ReferenceZip.local(entry)
                #expect(ZipWriterTests.render(layout, offset..<offset + Int64(header.count)) == header)
                directory += ReferenceZip.central(entry, offset)
                offset += Int64(header.count) + entry.compressedSize
            }
            let size = Int64(directory.count)
            directory += ReferenceZip.end(3, start: offset, size: size)
            #expect(ZipWriterTests.render(layout, offset..<layout.totalBytes) == directory)
        }
        for count in [65_534, 65_535, 65_536] {
            let entries = (0..<count).map { index in
                ZipEntry(
                    name: bytes("f\(100_000 + index)"), permissions: 0o644, kind: .file, method: .stored, crc32: 0,
                    compressedSize: 0, uncompressedSize: 0)
            }
            #expect(try packed(entries).totalBytes == ReferenceZip.byteCount(entries))
        }
    }

    @Test(
        "names are refused one by one as they are all at once",
        arguments: [
            (["a", "a"], true), (["a", "a/b"], true), (["a/", "a/b"], false), (["a/", "a/b", "a-b"], false),
            (["a", "a-b", "ab"], false), (["a/", "a/b/", "a/b/c", "a/b/c"], true), (["a/", "a/b", "a/b/c"], true),
            (["a/", "a/b", "a/"], true), (["a\\b"], false), (["c:"], false), (["d/", "d/c:"], false), ([".."], true),
            (["a/", "a/b", "b", "b/c"], true), ([String(repeating: "x", count: 70_000)], true),
        ])
    func names(_ names: [String], isRefused: Bool) {
        let entries = names.map { name -> ZipEntry in
            if name.hasSuffix("/") { return .directory(bytes(String(name.dropLast()))) }
            return ZipEntry(
                name: bytes(name), permissions: 0o644, kind: .file, method: .stored, crc32: 0, compressedSize: 0,
                uncompressedSize: 0)
        }
        let oneByOne = Result { try packed(entries) }
        let atOnce = Result { try ZipLayout(entries: entries) }
        #expect((try? oneByOne.get()) == nil ? isRefused : !isRefused)
        #expect((try? atOnce.get()) == nil ? isRefused : !isRefused)
    }

    @Test("what is not in the order of a tree is refused where it is given one by one")
    func order() {
        for names in [["b", "a"], ["a-b", "a/c"], ["ab", "a"]] {
            #expect(throws: ArchiveError.self) {
                var order = TreeOrder()
                for name in names { try order.add(bytes(name), isDirectory: false) }
            }
        }
    }
}

extension String {
    fileprivate subscript(_ position: Int) -> Character { self[index(startIndex, offsetBy: position)] }
}
