import Compression
import Foundation
import SystemPackage
import Testing

@testable import Archives

@Suite("Writing zips")
struct ZipWriterTests {
    @Test("one stored file gives these bytes and no others")
    func knownAnswer() throws {
        var builder = ZipBuilder()
        try builder.add(file: "a.txt", bytes("hello\n"))
        let expected: [UInt8] =
            [
                0x50, 0x4B, 3, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0x20, 0x30, 0x3A, 0x36, 6, 0, 0, 0, 6, 0, 0, 0, 5,
                0, 0, 0,
            ]
            + bytes("a.txthello\n")
            + [
                0x50, 0x4B, 1, 2, 0x1E, 3, 10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0x20, 0x30, 0x3A, 0x36, 6, 0, 0, 0, 6, 0,
                0,
                0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xA4, 0x81, 0, 0, 0, 0,
            ] + bytes("a.txt")
            + [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, 0x33, 0, 0, 0, 0x29, 0, 0, 0, 0, 0]
        let archive = try builder.archive()
        #expect(archive == expected)
    }

    @Test("every byte range equals the same part of the whole")
    func ranges() throws {
        let entries = Self.entries
        let layout = try ZipLayout(entries: entries)
        let whole = Self.render(layout, 0..<layout.totalBytes)
        #expect(Int64(whole.count) == layout.totalBytes)
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        for _ in 0..<300 {
            let a = Int64.random(in: 0...layout.totalBytes, using: &random)
            let b = Int64.random(in: 0...layout.totalBytes, using: &random)
            let range = min(a, b)..<max(a, b)
            let part = Self.render(layout, range)
            #expect(part == Array(whole[Int(range.lowerBound)..<Int(range.upperBound)]), "seed \(seed), \(range)")
        }
    }

    @Test("fragments that end in a full flush can be spliced into a member")
    func splicing() throws {
        let parts = [bytes(String(repeating: "alpha ", count: 900)), bytes(String(repeating: "beta ", count: 1200))]
        let deflater = try Deflater(level: 1)
        var payload: [UInt8] = []
        for part in parts { payload += try deflater.compressFragment(part) }
        payload += Deflater.endOfStream
        let crc = CRC32.combine(CRC32.checksum(parts[0]), CRC32.checksum(parts[1]), Int64(parts[1].count))
        let content = parts[0] + parts[1]
        let entry = ZipEntry(
            name: bytes("spliced"), permissions: 0o755, kind: .file, method: .deflate, crc32: crc,
            compressedSize: Int64(payload.count), uncompressedSize: Int64(content.count))
        let layout = try ZipLayout(entries: [entry])
        var archive: [UInt8] = []
        for segment in layout.segments {
            switch segment {
            case .literal(let header): archive += header
            case .payload(_, let range): archive += payload[Int(range.lowerBound)..<Int(range.upperBound)]
            }
        }
        let reader = try LocalZipReader(archive)
        let member = try #require(reader.members.first)
        #expect(try reader.bytes(of: member) == content)
        #expect(member.permissions == 0o755)
        let offset = try Self.payloadOffset(layout, 0)
        #expect(try reader.dataRange(of: member).lowerBound == offset)
    }

    @Test("what could not be read back is refused", arguments: ["../x", "/x", "a//b", "a\0b", "", "./a", "a/"])
    func names(name: String) {
        #expect(throws: ArchiveError.self) { try ZipLayout(entries: [.directory(bytes(name))]) }
    }

    @Test(
        "names that mean something else elsewhere are written; only who knows the writer reads them back",
        arguments: [
            "units/dev\\x2dlabel.swap", "B::Deparse.3pm",
        ]) func ownNames(name: String) throws
    {
        var builder = ZipBuilder()
        try builder.add(file: name, bytes("x"))
        try builder.add(symlink: "away", target: "/etc/hostname")
        let archive = try builder.archive()
        #expect(throws: ArchiveError.self) { try LocalZipReader(archive) }
        let limits = ArchiveLimits(origin: .ownTree)
        let folder = FilePath(NSTemporaryDirectory()).appending("own-names-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        try LocalZipReader(archive, limits: limits).extract(to: folder, limits: limits)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.appending(name).string)) == Data(bytes("x")))
        let target = try FileManager.default.destinationOfSymbolicLink(atPath: folder.appending("away").string)
        #expect(target == "/etc/hostname")
    }

    @Test("sizes beyond 32 bits use ZIP64 and are read back")
    func zip64Sizes() async throws {
        let big: Int64 = 5 << 30
        let entries = [
            ZipEntry(
                name: bytes("big"), permissions: 0o644, kind: .file, method: .stored, crc32: 7, compressedSize: big,
                uncompressedSize: big),
            ZipEntry(
                name: bytes("behind"), permissions: 0o600, kind: .file, method: .stored, crc32: 0, compressedSize: 0,
                uncompressedSize: 0),
        ]
        let layout = try ZipLayout(entries: entries)
        let source = SyntheticZip(layout: layout)
        let reader = try await ZipReader(source)
        #expect(reader.members.map(\.path) == ["big", "behind"])
        #expect(reader.members.map(\.uncompressedSize) == [big, 0])
        for (index, member) in reader.members.enumerated() {
            let range = try await reader.dataRange(of: member)
            let offset = try Self.payloadOffset(layout, index)
            #expect(range.lowerBound == offset)
            #expect(Int64(range.count) == entries[index].compressedSize)
        }
    }

    @Test("70,000 entries use ZIP64 counts and are read back")
    func zip64Count() throws {
        let entries = (0..<70_000).map { index in
            ZipEntry(
                name: bytes("f\(100_000 + index)"), permissions: 0o644, kind: .file, method: .stored, crc32: 0,
                compressedSize: 0, uncompressedSize: 0)
        }
        let layout = try ZipLayout(entries: entries)
        let reader = try LocalZipReader(Self.render(layout, 0..<layout.totalBytes))
        #expect(reader.members.count == 70_000)
        #expect(reader.members.last?.path == "f169999")
    }

    private static func payloadOffset(_ layout: ZipLayout, _ index: Int) throws -> Int64 {
        var cursor = ZipCursor(layout, notAfter: 0) { $0.offset }
        for _ in 0..<index { _ = cursor.next() }
        let member = cursor.next()
        return try #require(member).payloadOffset
    }

    static let entries: [ZipEntry] = [
        .directory(bytes("dir")),
        ZipEntry(
            name: bytes("dir/file"), permissions: 0o644, kind: .file, method: .stored, crc32: 1, compressedSize: 40,
            uncompressedSize: 40),
        ZipEntry(
            name: bytes("dir/leer"), permissions: 0o644, kind: .file, method: .stored, crc32: 0, compressedSize: 0,
            uncompressedSize: 0),
        ZipEntry(
            name: bytes("größe"), permissions: 0o755, kind: .file, method: .deflate, crc32: 2, compressedSize: 33,
            uncompressedSize: 90),
    ]

    static func render(_ layout: ZipLayout, _ range: Range<Int64>) -> [UInt8] {
        var result: [UInt8] = []
        for segment in layout.segments(in: range) {
            switch segment {
            case .literal(let bytes): result += bytes
            case .payload(let entry, let range):
                result += range.map { UInt8(truncatingIfNeeded: Int64(entry) * 31 + $0) }
            }
        }
        return result
    }
}

/// A zip of any size whose payloads are zeros.
private struct SyntheticZip: RandomAccess {
    let layout: ZipLayout
    var byteCount: Int64 { layout.totalBytes }

    func read(at offset: Int64, count: Int) async throws -> [UInt8] {
        var result: [UInt8] = []
        for segment in layout.segments(in: offset..<(offset + Int64(count))) {
            switch segment {
            case .literal(let bytes): result += bytes
            case .payload(_, let range): result += [UInt8](repeating: 0, count: range.count)
            }
        }
        return result
    }
}
