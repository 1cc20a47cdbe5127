import Catalog
import Compression
import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

/// A published version's ZIP is the same bytes under the same tag for ever; where a damaged chunk had to be replaced by one
/// that another encoder wrote, the bytes differ and so does the tag.
@Suite struct PresentationTests {
    /// A store without a journal, whose one data pack is easily found, compressing at a level of zlib's or igzip's.
    private static func configure(level: Int) -> @Sendable (inout StoreConfiguration) -> Void {
        {
            $0.inlineCommitBytes = 0
            $0.openDataPacks = 1
            $0.compressionLevel = level
        }
    }

    /// A text of which the levels 1 and 9 make different fragments, of the same length or of different ones.
    private func text(sameLength: Bool) throws -> [UInt8] {
        let (fast, small) = (try Deflater(level: 1), try Deflater(level: 9))
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let text = random.text(100 + Int(random.next() % 300))
            let (one, nine) = (try fast.compressFragment(text), try small.compressFragment(text))
            if one != nine, (one.count == nine.count) == sameLength { return text }
        }
        throw ModelFailure("no text was found of which two levels make fragments of the wanted lengths")
    }

    /// Flips a bit within the only chunk of a version's pack.
    private func damage(_ fixture: StoreFixture) async throws {
        try fixture.store.packs.sealOpenPacks()
        try await fixture.store.settle()
        let info = try #require(fixture.store.packs.table.all.first { $0.packClass == .data })
        let entry = try #require(try fixture.store.packs.entries(of: info).first)
        let root = fixture.folder.appending("packs").string
        let name = try #require(
            try FileManager.default.subpathsOfDirectory(atPath: root).first { $0.hasSuffix(info.name) })
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: root + "/" + name))
        defer { try? file.close() }
        let place = UInt64(entry.location.offset) + 60
        try file.seek(toOffset: place)
        var byte = try #require(try file.read(upToCount: 1))
        byte[byte.startIndex] ^= 0x10
        try file.seek(toOffset: place)
        try file.write(contentsOf: byte)
    }

    @Test("a chunk that another encoder replaced gives the ZIP other bytes and another tag", arguments: [true, false])
    func encodedAnew(sameLength: Bool) async throws {
        let first = try await StoreFixture(configure: Self.configure(level: 1))
        let folder = first.folder
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let root = try first.directory("in", ["file": try text(sameLength: sameLength)])
        let version = try await first.publish(directory: root)
        let before = try await first.store.zip(version.id)
        let bytes = try await before.stream().collect(upTo: 1 << 20)
        #expect(before.etag == version.zip.etag && before.byteCount == version.zip.byteCount)
        try await damage(first)
        #expect(try await first.store.scrub(.pack).damage.count == 1)

        let second = try await first.reopened(configure: Self.configure(level: 9))
        let announced = try await second.store.zip(version.id)
        #expect(announced.etag == before.etag)
        _ = try await second.publish(directory: root, artifact: "healer")
        // What was announced before the chunk was replaced is refused, not served with other bytes.
        await #expect(throws: StoreError.self) { _ = try await announced.stream().collect(upTo: 1 << 20) }

        for _ in 0..<2 {
            let after = try await second.store.zip(version.id)
            let again = try await after.stream().collect(upTo: 1 << 20)
            #expect(again != bytes)
            #expect((again.count == bytes.count) == sameLength)
            #expect(Int64(again.count) == after.byteCount)
            #expect(after.etag != before.etag)
            let stored = try await second.store.version(version.id).zip
            #expect(stored.number == 2 && stored.etag == after.etag && stored.byteCount == after.byteCount)
        }
    }

    @Test("a chunk that the same encoder replaced leaves bytes and tag as they were") func encodedAlike() async throws {
        let first = try await StoreFixture(configure: Self.configure(level: 1))
        let folder = first.folder
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let root = try first.directory("in", ["file": try text(sameLength: true)])
        let version = try await first.publish(directory: root)
        let bytes = try await first.store.zip(version.id).stream().collect(upTo: 1 << 20)
        try await damage(first)
        #expect(try await first.store.scrub(.pack).damage.count == 1)
        let second = try await first.reopened(configure: Self.configure(level: 1))
        _ = try await second.publish(directory: root, artifact: "healer")
        let after = try await second.store.zip(version.id)
        #expect(after.etag == version.zip.etag)
        #expect(try await after.stream().collect(upTo: 1 << 20) == bytes)
    }

    @Test("moving records between journal, packs and index runs keeps bytes and tag", arguments: [0, 100_000])
    func moved(inlineCommitBytes: Int) async throws {
        let configure: @Sendable (inout StoreConfiguration) -> Void = {
            $0.inlineCommitBytes = inlineCommitBytes
            $0.indexTailEntries = 4
        }
        var fixture = try await StoreFixture(configure: configure)
        let folder = fixture.folder
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        var random = SeededGenerator(seed: 6)
        var files: [String: [UInt8]] = [:]
        for index in 0..<12 { files["f\(index)"] = random.text(200 + 3000 * index) }
        let version = try await fixture.publish(directory: try fixture.directory("in", files))
        let bytes = try await fixture.store.zip(version.id).stream().collect(upTo: 1 << 22)
        func expectSame() async throws {
            let zip = try await fixture.store.zip(version.id)
            #expect(zip.etag == version.zip.etag)
            #expect(try await zip.stream().collect(upTo: 1 << 22) == bytes)
        }
        for _ in 0..<2 {
            fixture = try await fixture.reopened(configure: configure)
            try await expectSame()
            try await fixture.store.collect()
            try await expectSame()
            try await fixture.store.close()
            _ = try await fixture.store.rebuildIndex()
            try await expectSame()
        }
    }

    @Test(
        "a ZIP whose shape an earlier program recorded keeps its tag, and is told apart by its encodings from then on")
    func earlierShape() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 7)
        let version = try await fixture.publish(
            directory: try fixture.directory("in", ["a": random.text(900), "b": random.text(300)]))
        let opened = try await fixture.store.open(version.id)
        guard case .tree(let directory) = opened.root.content else { throw ModelFailure("it is not a directory") }
        let plan = try await fixture.store.pool.run { try ZipPlan(opened.context, directory) }
        let (old, new) = (plan.shape.earlierDigest.bytes, plan.shape.digest.bytes)
        #expect(old != new)
        try await fixture.catalog.write {
            _ = try $0.execute("UPDATE store_versions SET zip_shape = ? WHERE id = ?", old, version.id.rawValue)
        }
        #expect(try await fixture.store.zip(version.id).etag == version.zip.etag)
        #expect(try await fixture.store.row(version.id).bytes("zip_shape") == new)
        #expect(try await fixture.store.version(version.id).zip.number == 1)
    }

    @Test("the check of a payload goes through index frames, and those without it are read as before") func frames()
        throws
    {
        func entry(_ check: UInt32, recordBytes: UInt32) -> PackEntry {
            let location = Location(
                pack: 3, offset: 64, recordBytes: recordBytes, plainBytes: 700, encodedBytes: 300, ordinal: 0,
                kind: .chunk, codec: .deflate, check: check)
            return PackEntry(id: RecordID(high: 1, low: UInt64(check)), location: location, reach: [])
        }
        let length = UInt32(RecordCipher.recordBytes(encodedBytes: 300))
        var entries = [
            entry(0xFEDC_BA98, recordBytes: length), entry(0, recordBytes: length), entry(0, recordBytes: 999),
        ]
        for index in entries.indices { entries[index].location.ordinal = UInt32(index) }
        let frame = IndexFrame(previousOffset: 0, previousBytes: 0, entries: entries)
        #expect(try IndexFrame(decoding: frame.encode(), pack: 3).entries == entries)
    }
}
