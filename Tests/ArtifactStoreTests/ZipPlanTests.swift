import Archives
import Catalog
import Compression
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// A version's ZIP is put together from what one walk keeps and what the next one reads. Here it is put together from all
/// entries at once, as values.
@Suite struct ZipPlanTests {
    /// A ZIP as it should be, with its shape.
    private struct Reference {
        var bytes: [UInt8] = []
        var shape: SHA256Digest
        var earlierShape: SHA256Digest

        init(_ context: ReadContext, _ root: DirectoryContent) throws {
            var members: [(entry: ZipEntry, payload: [UInt8], mark: UInt64)] = []
            try Self.walk(context, try context.entries(root), "", &members)
            for segment in try ZipLayout(entries: members.map(\.entry)).segments {
                switch segment {
                case .literal(let literal): bytes += literal
                case .payload(let index, let range):
                    bytes += members[index].payload[Int(range.lowerBound)..<Int(range.upperBound)]
                }
            }
            var writer = CanonicalWriter()
            for member in members {
                writer.byte(member.entry.method == .deflate ? 1 : 0)
                writer.integer(UInt64(member.entry.compressedSize))
            }
            earlierShape = SHA256.digest(writer.bytes)
            for member in members { writer.integer(member.mark) }
            shape = SHA256.digest(writer.bytes)
        }

        private static func walk(
            _ context: ReadContext, _ listing: [TreeEntry], _ path: String,
            _ members: inout [(entry: ZipEntry, payload: [UInt8], mark: UInt64)]
        ) throws {
            for item in listing {
                let name = Array(path.utf8) + item.name
                switch item.content {
                case .directory(let child):
                    members.append((.directory(name, permissions: UInt16(item.mode)), [], 0))
                    let path = String(decoding: name, as: UTF8.self) + "/"
                    try walk(context, try context.entries(child), path, &members)
                case .symlink(let target):
                    let entry = ZipEntry(
                        name: name, permissions: 0o777, kind: .symlink, method: .stored,
                        crc32: CRC32.checksum(target), compressedSize: Int64(target.count),
                        uncompressedSize: Int64(target.count))
                    members.append((entry, target, 0))
                case .file(let content):
                    var unmasked: EncodingsMark?
                    let shape = try MemberShape(context, content, &unmasked)
                    var payload = MemberPayload(
                        context, content, isDeflate: shape.isDeflate, planned: shape.encodings)
                    var bytes: [UInt8] = []
                    while let piece = try payload.next() { bytes += try MemberPayload.bytes(piece, context) }
                    let entry = ZipEntry(
                        name: name, permissions: UInt16(item.mode), kind: .file,
                        method: shape.isDeflate ? .deflate : .stored, crc32: shape.crc,
                        compressedSize: Int64(bytes.count), uncompressedSize: content.byteCount)
                    members.append((entry, bytes, shape.encodings.value))
                }
            }
        }
    }

    /// A tree with everything that a tree can have; `wide` files in one of its directories.
    private func publish(_ fixture: StoreFixture, _ random: inout SeededGenerator, wide: Int) async throws -> Version {
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        var folders = [""]
        for index in 0..<12 {
            let folder = folders[Int.random(in: 0..<folders.count, using: &random)] + "d\(index)"
            folders.append(folder + "/")
            try await tree.addDirectory(Array(folder.utf8), mode: Bool.random(using: &random) ? 0o755 : 0o700)
        }
        for index in 0..<60 {
            let folder = folders[Int.random(in: 0..<folders.count, using: &random)]
            let size = [0, 1, 40, 64, 65, 700, 9000][Int.random(in: 0..<7, using: &random)]
            let bytes = index % 3 == 0 ? random.bytes(size) : random.text(size)
            let name = folder + ["file", "größe", "d-", "-"][index % 4] + "\(index)"
            if index % 10 == 9 {
                try await tree.addSymlink(Array(name.utf8), target: Array("../x\(index)".utf8))
            } else {
                try await tree.addFile(Array(name.utf8), mode: index % 5 == 0 ? 0o755 : 0o644, bytes)
            }
        }
        try await tree.addFile(Array("large".utf8), mode: 0o644, random.text(200_000))
        try await tree.addFile(Array("random".utf8), mode: 0o644, random.bytes(100_000))
        for index in 0..<wide {
            // Every tenth one has a chunk of its own.
            let bytes = index % 10 == 0 ? random.text(80) : [UInt8(truncatingIfNeeded: index)]
            try await tree.addFile(Array("wide/\(index)".utf8), mode: 0o644, bytes)
        }
        return try await fixture.store.publish(try await tree.finish(), fixture.draft())
    }

    private func reference(_ fixture: StoreFixture, _ version: Version) async throws -> Reference {
        let opened = try await fixture.store.open(version.id)
        guard case .tree(let directory) = opened.root.content else { throw ModelFailure("it is not a directory") }
        return try await fixture.store.pool.run { try Reference(opened.context, directory) }
    }

    @Test("the ZIP, its length and its shape are those of all entries taken at once", arguments: [0, 300, 6000])
    func same(wide: Int) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let version = try await publish(fixture, &random, wide: wide)
        let expected = try await reference(fixture, version)
        #expect(version.zip.byteCount == Int64(expected.bytes.count))
        #expect(try await fixture.store.row(version.id).bytes("zip_shape") == expected.shape.bytes)

        let zip = try await fixture.store.zip(version.id)
        #expect(zip.byteCount == version.zip.byteCount && zip.etag == version.zip.etag)
        #expect(try await zip.stream().collect(upTo: 1 << 24) == expected.bytes, "seed \(seed)")
        for _ in 0..<40 {
            let start = Int64.random(in: 0..<zip.byteCount, using: &random)
            let length = Int64.random(in: 1...(Bool.random(using: &random) ? 200 : 100_000), using: &random)
            let range = start..<min(zip.byteCount, start + length)
            let part = try await zip.stream(range: range).collect(upTo: 1 << 24)
            try #require(part == Array(expected.bytes[Int(start)..<Int(range.upperBound)]), "seed \(seed), \(range)")
        }
        #expect(try await zip.stream(range: 7..<7).collect(upTo: 10).isEmpty)

        // The same without contents that are kept.
        let opened = try await fixture.store.open(version.id)
        guard case .tree(let directory) = opened.root.content else { throw ModelFailure("it is not a directory") }
        let context = opened.context
        let plan = try await fixture.store.pool.run { try ZipPlan(context, directory, heldBytesMaximum: 0) }
        for round in 0..<40 {
            let start = round == 0 ? 0 : Int64.random(in: 0..<zip.byteCount, using: &random)
            let end = round == 0 ? zip.byteCount : min(zip.byteCount, start + 100_000)
            let stream = ZipStream(context, plan, range: start..<end)
            var bytes: [UInt8] = []
            while let piece = try await stream.pull() { bytes += piece }
            try #require(bytes == Array(expected.bytes[Int(start)..<Int(end)]), "seed \(seed), \(start)..<\(end)")
        }
    }

    @Test("what an earlier program recorded is recognised") func recorded() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 3)
        let version = try await publish(fixture, &random, wide: 0)
        let expected = try await reference(fixture, version)
        let opened = try await fixture.store.open(version.id)
        guard case .tree(let directory) = opened.root.content else { throw ModelFailure("it is not a directory") }
        let shape = try await fixture.store.pool.run { try ZipPlan(opened.context, directory).shape }
        #expect(shape.isRecorded(as: expected.shape.bytes) && shape.isRecorded(as: expected.earlierShape.bytes))
        #expect(!shape.isRecorded(as: []) && !shape.isRecorded(as: SHA256.digest([1]).bytes))
    }

    @Test(
        "names that would not be safe in the ZIP of somebody else are in that of a tree",
        arguments: ["a\\b", "c:", "x/y\\"])
    func ownNames(name: String) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        for path in ["before", name, "z"] { try await tree.addFile(Array(path.utf8), mode: 0o644, [1]) }
        let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
        let expected = try await reference(fixture, version)
        #expect(version.zip.byteCount == Int64(expected.bytes.count))
        let bytes = try await fixture.store.zip(version.id).stream().collect(upTo: 1 << 20)
        #expect(bytes == expected.bytes)
    }

    @Test("the beginning of a range is found without reading what lies before it") func damagedBefore() async throws {
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 9)
        let files = (0..<30).map { ("f\(100 + $0)", random.bytes(3000)) }
        let version = try await fixture.publish(
            directory: try fixture.directory("in", Dictionary(uniqueKeysWithValues: files)))
        let zip = try await fixture.store.zip(version.id)
        let whole = try await zip.stream().collect(upTo: 1 << 20)
        try await DamagedChunk.flip(in: fixture, of: version, path: "f100")
        await #expect(throws: StoreError.self) { _ = try await zip.stream().collect(upTo: 1 << 20) }
        for start in [4000, 40_000, whole.count - 500] {
            let range = Int64(start)..<Int64(whole.count)
            #expect(try await zip.stream(range: range).collect(upTo: 1 << 20) == Array(whole[start...]))
        }
    }
}

/// Damages one file of a version where it is stored.
private enum DamagedChunk {
    static func flip(in fixture: StoreFixture, of version: Version, path: String) async throws {
        let opened = try await fixture.store.open(version.id)
        guard case .entry(let entry) = try await fixture.store.target(path, in: opened),
            case .file(let content) = entry.content, let ref = content.refs.first
        else { throw ModelFailure("\(path) is not a file with a chunk") }
        let location = try fixture.store.reader.location(ref)
        let name = try #require(fixture.store.packs.table[location.pack]?.name)
        let root = fixture.folder.appending("packs").string
        let file = try #require(try FileManager.default.subpathsOfDirectory(atPath: root).first { $0.hasSuffix(name) })
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: root + "/" + file))
        defer { try? handle.close() }
        let place = UInt64(location.offset) + 60
        try handle.seek(toOffset: place)
        var byte = try #require(try handle.read(upToCount: 1))
        byte[byte.startIndex] ^= 0x10
        try handle.seek(toOffset: place)
        try handle.write(contentsOf: byte)
    }
}
