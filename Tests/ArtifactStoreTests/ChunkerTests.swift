import Catalog
import Cryptography
import Foundation
import Testing

@testable import ArtifactStore

@Suite("The chunker that cuts on a pseudo-random function")
struct ChunkerTests {
    /// The cuts of a whole stream.
    private func cuts(_ bytes: [UInt8], _ cutter: any StreamCutter) throws -> [Int] {
        var lengths: [Int] = []
        try bytes.withUnsafeBytes { all in
            var rest = all
            while let length = try cutter.cut(rest, isLast: true) {
                lengths.append(length)
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
        }
        return lengths
    }

    private func key(_ byte: UInt8) -> SecretBytes { SecretBytes(copying: Array(repeating: byte, count: 32)) }

    @Test("cuts as its definition says, place by place")
    func definition() throws {
        let key = key(3)
        var stream: [UInt8] = []
        for block in 0..<193 as Range<UInt32> {
            var field: [UInt8] = []
            field.appendBig(block)
            Derivation.secret(key, "cdc/stream", [field]).withUnsafeBytes { stream.append(contentsOf: $0) }
        }
        let table = (0..<256).map { Array(stream[16 + $0 * 24..<16 + $0 * 24 + 24]) }
        let cipher = try AES128Blocks(key: SecretBytes(copying: Array(stream[..<16])))
        var random = SeededGenerator(seed: 11)
        let bytes = random.bytes(120_000)
        let found = try #require(try cuts(bytes, try PRFCutter(cutKey: key)).first)

        // The state as 24 bytes, shifted and added byte by byte, over everything that came before.
        var state = [UInt8](repeating: 0, count: 24)
        var expected: Int?
        for position in (16 << 10) - 192..<bytes.count {
            var shifted = [UInt8](repeating: 0, count: 24)
            for index in 0..<24 { shifted[index] = state[index] << 1 | (index < 23 ? state[index + 1] >> 7 : 0) }
            for index in 0..<24 { state[index] = shifted[index] ^ table[Int(bytes[position])][index] }
            guard position >= 16 << 10 else { continue }
            var block = Array(state[..<16])
            try block.withUnsafeMutableBytes { try cipher.permute($0) }
            let value = block[8...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if value >> (position < 64 << 10 ? 47 : 49) == 0 {
                expected = position + 1
                break
            }
        }
        #expect(found == expected ?? bytes.count)
    }

    @Test("cuts alike under one key and otherwise under another, within the limits of size")
    func keys() throws {
        var random = SeededGenerator(seed: 12)
        let bytes = random.bytes(1 << 20)
        let first = try cuts(bytes, try PRFCutter(cutKey: key(1)))
        #expect(try cuts(bytes, try PRFCutter(cutKey: key(1))) == first)
        #expect(try cuts(bytes, try PRFCutter(cutKey: key(2))) != first)
        #expect(first.reduce(0, +) == bytes.count)
        #expect(first.dropLast().allSatisfy { $0 >= 16 << 10 && $0 <= 256 << 10 })
        #expect(first.count > 4)
        // Bytes without any variety are cut at the maximum or somewhere regular, never into nothing.
        let zeros = try cuts([UInt8](repeating: 0, count: 600_000), try PRFCutter(cutKey: key(1)))
        #expect(zeros.reduce(0, +) == 600_000 && zeros.allSatisfy { $0 > 0 && $0 <= 256 << 10 })
    }

    @Test("needs more bytes exactly where the end is not known", arguments: [1, 100, 16 << 10, (16 << 10) + 1])
    func shortInputs(_ count: Int) throws {
        let cutter = try PRFCutter(cutKey: key(4))
        let bytes = [UInt8](repeating: 9, count: count)
        let (open, last) = try bytes.withUnsafeBytes {
            (try cutter.cut($0, isLast: false), try cutter.cut($0, isLast: true))
        }
        #expect(open == nil || count > 16 << 10)
        #expect(last == count || count > 16 << 10)
        let nothing = try cutter.cut(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
        #expect(nothing == nil)
    }

    @Test("finds its cuts again after bytes were inserted")
    func insertion() throws {
        var random = SeededGenerator(seed: 13)
        let bytes = random.bytes(1 << 20)
        let cutter = try PRFCutter(cutKey: key(5))
        func ends(_ bytes: [UInt8]) throws -> Set<Int> {
            var end = 0
            return Set(
                try cuts(bytes, cutter).map { length in
                    end += length
                    return bytes.count - end
                })
        }
        let before = try ends(bytes)
        let after = try ends(Array(bytes[..<1000]) + [1, 2, 3] + Array(bytes[1000...]))
        #expect(before.subtracting(after).count <= before.count / 2)
        #expect(before.intersection(after).count >= 3)
    }

    @Test("is a property of the domain: versions share chunks, whatever the store is told later")
    func recorded() async throws {
        let first = try await StoreFixture(configure: { $0.chunker = .prf })
        defer { first.remove() }
        var random = SeededGenerator(seed: 14)
        var bytes = random.bytes(1 << 20)
        let version = try await first.publish(bytes)
        let second = try await first.reopened(configure: { $0.chunker = .gear })
        #expect(try await second.read(version) == bytes)
        bytes.replaceSubrange(500_000..<500_000, with: [1, 2, 3])
        let next = try await second.publish(bytes)
        #expect(next.newStoredBytes < 600_000)
        #expect(try await second.read(next) == bytes)
        let rows = try await second.catalog.read { try $0.rows("SELECT chunker FROM store_domains") }
        #expect(try rows.map { try $0.string("chunker") } == ["prf"])
    }

    @Test("of a version that this program does not know is refused for writing, not for reading")
    func unknown() async throws {
        let first = try await StoreFixture()
        defer { first.remove() }
        let version = try await first.publish([1, 2, 3])
        _ = try await first.catalog.write { try $0.execute("UPDATE store_domains SET chunker = 'later'") }
        let second = try await first.reopened()
        #expect(try await second.read(version) == [1, 2, 3])
        await #expect(throws: StoreError.self) { _ = try await second.publish([4]) }
    }
}
