import Catalog
import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct JournalTests {
    private func record(_ seed: UInt64, reach: [RecordID] = []) -> JournalRecord {
        var random = SeededGenerator(seed: seed)
        return JournalRecord(
            id: RecordID(high: seed, low: ~seed), kind: reach.isEmpty ? .chunk : .tree, codec: .stored, plainBytes: 90,
            encodedBytes: 90, reach: reach, record: random.bytes(100 + Int(seed)))
    }

    private func index(_ fixture: StoreFixture) -> ChunkIndex { fixture.store.packs.index }

    @Test("a record that two commits brought outlives the one that failed") func twoClaims() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let (journal, index) = (Journal(), index(fixture))
        let (shared, own) = (record(1), record(2))
        let (first, second) = (journal.takeNumber(), journal.takeNumber())
        journal.add(first, [shared, own], index)
        journal.add(second, [shared], index)
        #expect(journal.commits(of: shared.id) == [first, second])
        #expect(journal.byteCount == shared.record.count + own.record.count)

        journal.drop(first, [shared, own], index)
        #expect(journal.record(shared.id) == shared.record)
        #expect(journal.entry(own.id) == nil)
        #expect(try index.lookup(shared.id) { _ in true } != nil)
        #expect(try index.lookup(own.id) { _ in true } == nil)
        #expect(journal.byteCount == shared.record.count)

        journal.moved([shared.id], from: [first])
        #expect(journal.entry(shared.id) != nil, "only its own commit's move takes a record away")
        journal.moved([shared.id], from: [second])
        #expect(journal.all.isEmpty)
        #expect(journal.byteCount == 0)
    }

    @Test("of two encodings that commits side by side brought, the index names the one that is read")
    func twoEncodings() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let (journal, index) = (Journal(), index(fixture))
        var (one, other) = (record(1), record(1))
        (one.codec, one.encodedBytes, one.check) = (.deflate, 40, 7)
        (other.codec, other.encodedBytes, other.check) = (.deflate, 41, 8)
        let (first, second) = (journal.takeNumber(), journal.takeNumber())
        journal.add(first, [one], index)
        journal.add(second, [other], index)
        #expect(try index.lookup(one.id) { _ in true } == one.location)
        #expect(journal.entry(one.id)?.location == one.location)
        journal.drop(first, [one], index)
        #expect(try index.lookup(one.id) { _ in true } == one.location)
        journal.drop(second, [other], index)
        #expect(try index.lookup(one.id) { _ in true } == nil)
    }

    @Test("a commit's row gives back its records, and none under another number") func row() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ring = fixture.store.storageKeys
        var records = [record(3), record(4), record(5, reach: [record(3).id, record(4).id])]
        (records[1].codec, records[1].check) = (.deflate, 0xFFFF_FFFE)
        let row = try await fixture.catalog.write { [records] transaction in
            try JournalRow(7, records, ring).insert(transaction)
            return try transaction.row("SELECT * FROM store_commits")
        }
        let back = try JournalRow(try #require(row), ring)
        #expect(back.commit == 7)
        #expect(back.records.map(\.id) == records.map(\.id))
        #expect(back.records.map(\.record) == records.map(\.record))
        #expect(back.records.map(\.reach) == records.map(\.reach))
        #expect(back.records.map(\.kind) == [.chunk, .chunk, .tree])
        #expect(back.records.map(\.location) == records.map(\.location))

        let moved = try await fixture.catalog.write { transaction in
            try transaction.execute("UPDATE store_commits SET commit_number = 8")
            return try transaction.row("SELECT * FROM store_commits")
        }
        #expect(throws: FormatError.self) { try JournalRow(try #require(moved), ring) }
    }

    @Test("what a program left that kept a row for every record is read, and kept in today's form") func earlier()
        async throws
    {
        let first = try await StoreFixture()
        defer { first.remove() }
        var random = SeededGenerator(seed: 31)
        var files = ["one": random.bytes(3000), "two": random.text(2000)]
        for number in 0..<40 { files["dir/\(number)"] = random.bytes(100) }
        let version = try await first.publish(directory: try first.directory("in", files))
        let ring = first.store.storageKeys
        let count = try await first.catalog.write { transaction in
            let row = try #require(try transaction.row("SELECT * FROM store_commits"))
            let records = try JournalRow(row, ring).records
            for record in records {
                let reach =
                    record.reach.isEmpty
                    ? nil
                    : try SealedEnvelope.seal(
                        record.reach.flatMap(\.bytes), type: .reachability, version: ring.current.version,
                        key: ring.current.key, name: Array("journal/".utf8) + record.id.bytes)
                try transaction.execute(
                    """
                    INSERT INTO store_journal (id, kind, codec, plain_bytes, encoded_bytes, record, reach)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """, record.id.bytes, Int(record.kind.rawValue), Int(record.codec.rawValue), record.plainBytes,
                    record.encodedBytes, record.record, reach)
            }
            try transaction.execute("DELETE FROM store_commits")
            return records.count
        }
        #expect(count > 42, "the directory is a record too")
        for _ in 0..<2 {
            let again = try await first.reopened()
            let restored = again.folder.appending("out-\(UUID().uuidString)")
            _ = try await again.store.materialise(version.id, to: restored)
            for (path, bytes) in files {
                #expect(try Data(contentsOf: URL(fileURLWithPath: restored.string + "/" + path)) == Data(bytes))
            }
            let left = try await again.catalog.read { try $0.rows("SELECT * FROM store_journal").count }
            #expect(left == 0)
            try again.catalog.close()
        }
    }

    @Test(
        "statements come out as the JSON that they were before, whatever their texts",
        arguments: ["plain", "quo\"te \\ back/slash", "line\nbreak\ttab\u{1}\u{1F}", "Größe 🎛 \u{2028}", ""])
    func json(_ text: String) throws {
        var statement = Statement(.pin, at: -5)
        statement.artifact = text
        statement.attributes = ["b": text, "": "empty"]
        statement.attributes?[text] = "value"
        statement.number = 12
        statement.keyVersion = 3
        statement.pin = Statement.PinStatement(name: text, kind: "k", owner: "o", reason: text, expiresAt: nil)
        let written = statement.encoded()
        #expect(try Statement.decode(written) == statement)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let members = { (bytes: Data) in try JSONSerialization.jsonObject(with: bytes) as? NSDictionary }
        #expect(try members(Data(written)) == members(try encoder.encode(statement)))
    }
}
