import Cryptography
import Testing

@testable import ArtifactStore

@Suite struct ContentTableTests {
    private func ref(_ random: inout SeededGenerator) throws -> Ref {
        let digest = try #require(SHA256Digest(bytes: random.bytes(32)))
        let id = random.bytes(16).withUnsafeBytes { RecordID($0) }
        let key = random.bytes(32).withUnsafeBytes { RecordKey($0) }
        return Ref(count: 5000, digest: digest, id: id, key: key, crc: 0)
    }

    @Test("contents of every kind are found under their names, and no others") func found() throws {
        var random = SeededGenerator(seed: 8)
        var table = ContentTable()
        var expected: [FileContent] = []
        for index in 0..<3000 {
            switch index % 4 {
            case 0: expected.append(.inline(Array("\(index)".utf8)))
            case 1: expected.append(.chunk(try ref(&random)))
            case 2:
                let digest = try #require(SHA256Digest(bytes: random.bytes(32)))
                expected.append(.segments([.literal(random.bytes(20)), .chunk(try ref(&random))], digest))
            default:
                let list = try ref(&random)
                expected.append(
                    .node(Ref(count: 9, digest: list.digest, id: list.id, key: list.key, crc: 0), 7, list.digest))
            }
            // Once more changes nothing.
            for _ in 0..<(index % 7 == 0 ? 2 : 1) { table.insert(expected[index]) }
        }
        #expect(table.count == expected.count)
        for content in expected {
            let found = try table[content.name]
            #expect(found == content)
            var other = content.name
            other.byteCount += 1
            let missing = try table[other]
            #expect(missing == nil)
        }
    }

    @Test("of two contents whose names begin alike, the later one is found, and never one for the other") func alike()
        throws
    {
        var random = SeededGenerator(seed: 9)
        let first = random.bytes(32)
        var second = random.bytes(32)
        second.replaceSubrange(0..<8, with: first[0..<8])
        var contents: [FileContent] = []
        for bytes in [first, second] {
            var item = try ref(&random)
            item.digest = try #require(SHA256Digest(bytes: bytes))
            contents.append(.chunk(item))
        }
        var table = ContentTable()
        for content in contents { table.insert(content) }
        let (one, two) = (try table[contents[0].name], try table[contents[1].name])
        #expect(one == nil && two == contents[1])
    }
}
