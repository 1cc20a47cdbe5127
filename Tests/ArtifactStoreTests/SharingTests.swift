import Compression
import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct SharingTests {
    /// A gzip file (RFC 1952) with a time in its header.
    private func gzip(_ bytes: [UInt8], time: UInt32) throws -> [UInt8] {
        var file: [UInt8] = [0x1F, 0x8B, 8, 0]
        file.appendLittle(time)
        file += [0, 3]
        file += try Deflater().compressFinal(bytes)
        file.appendLittle(CRC32.checksum(bytes))
        file.appendLittle(UInt32(bytes.count))
        return file
    }

    private func release(_ ingest: Ingest, time: UInt32, _ contents: [[UInt8]]) async throws -> StagedContent {
        let tree = try await ingest.openTree()
        for (index, bytes) in contents.enumerated() {
            let path = "data/service-\(index / 3)/2024/file-\(index % 3).json.gz"
            try await tree.addFile(Array(path.utf8), mode: 0o644, try gzip(bytes, time: time))
        }
        return try await tree.finish()
    }

    @Test("a release in which only timestamps in gzip headers differ costs a few bytes a file") func timestamps()
        async throws
    {
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 60)
        var contents: [[UInt8]] = []
        for _ in 0..<150 { contents.append(random.text(4000)) }
        var versions: [Version] = []
        for time in [1_700_000_000, 1_700_086_400] as [UInt32] {
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
            let staged = try await release(ingest, time: time, contents)
            versions.append(try await fixture.store.publish(staged, fixture.draft()))
        }
        #expect(versions[1].newStoredBytes < versions[0].newStoredBytes / 8)
        #expect(versions[1].contentID != versions[0].contentID)
        for (version, time) in zip(versions, [1_700_000_000, 1_700_086_400] as [UInt32]) {
            let (entry, stream) = try await fixture.store.readFile(
                version.id, path: "data/service-7/2024/file-1.json.gz")
            let expected = try gzip(contents[22], time: time)
            #expect(try await stream.collect(upTo: 1 << 20) == expected)
            #expect(entry.contentID == SHA256.digest(expected))
        }
    }

    @Test("the same directory has the same id under other keys, however it is cut and split") func identity()
        async throws
    {
        var random = SeededGenerator(seed: 61)
        var contents: [[UInt8]] = []
        for index in 0..<300 { contents.append(random.bytes(index % 10 == 0 ? 60_000 : 150)) }
        var ids: Set<SHA256Digest> = []
        for _ in 0..<3 {
            let fixture = try await StoreFixture()
            defer { fixture.remove() }
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
            let tree = try await ingest.openTree()
            for (index, bytes) in contents.enumerated() {
                try await tree.addFile(Array("many/\(index)".utf8), mode: 0o644, bytes)
            }
            let version = try await fixture.store.publish(try await tree.finish(), fixture.draft())
            ids.insert(version.contentID)
            let entries = try await fixture.store.entries(of: version.id, under: "many")
            #expect(entries.count == 300)
            let (_, stream) = try await fixture.store.readFile(version.id, path: "many/170")
            #expect(try await stream.collect(upTo: 1 << 20) == contents[170])
        }
        #expect(ids.count == 1)
    }

    @Test("keyed ids, ciphertexts and cuts of the same content differ between domains") func domains() async throws {
        var random = SeededGenerator(seed: 62)
        let bytes = random.bytes(300_000)
        var ids: Set<RecordID> = []
        var total = 0
        for _ in 0..<2 {
            let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
            defer { fixture.remove() }
            _ = try await fixture.publish(bytes)
            for info in fixture.store.packs.table.all {
                let entries = try fixture.store.packs.currentEntries(of: info)
                ids.formUnion(entries.map(\.id))
                total += entries.count
            }
        }
        #expect(ids.count == total)
    }

    @Test("neither plaintext nor its hash is in the packs or the database") func nothingInTheClear() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let secret = Array("a sentence that nobody but its readers may find".utf8)
        let version = try await fixture.publish(secret + Array(repeating: 0x20, count: 70_000) + secret)
        let small = try await fixture.publish(secret)
        try await fixture.store.close()
        let files = FileManager.default.enumerator(atPath: fixture.folder.string)?.allObjects.compactMap {
            $0 as? String
        }
        var needles = [secret]
        for version in [version, small] {
            needles.append(version.contentID.bytes)
            needles.append(Array(version.contentID.hex.utf8))
        }
        for file in try #require(files) {
            guard let data = FileManager.default.contents(atPath: fixture.folder.string + "/" + file) else { continue }
            for needle in needles { #expect(data.range(of: Data(needle)) == nil, "\(file)") }
        }
    }
}
