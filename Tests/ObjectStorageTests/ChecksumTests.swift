import Cryptography
import Testing

@testable import ObjectStorage

@Suite struct ChecksumTests {
    /// The check values of the catalogue of parametrised CRC algorithms, over the digits 1 to 9.
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, UInt64(0xCBF4_3926)), (.crc32c, 0xE306_9283), (.crc64nvme, 0xAE8B_1486_0A79_9888),
    ])
    func `Checks of the nine digits have their published values`(_ algorithm: ChecksumAlgorithm, _ expected: UInt64)
        throws
    {
        let crc = try #require(algorithm.polynomial)
        let value = Array("123456789".utf8).withUnsafeBytes { crc.update(0, $0) }
        #expect(value == expected)
    }

    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme])
    func `Checks of two pieces combine to that of the whole`(_ algorithm: ChecksumAlgorithm) throws {
        let crc = try #require(algorithm.polynomial)
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let bytes = (0..<Int.random(in: 0...3000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let whole = bytes.withUnsafeBytes { crc.update(0, $0) }
            let first = Array(bytes[..<cut]).withUnsafeBytes { crc.update(0, $0) }
            let second = Array(bytes[cut...]).withUnsafeBytes { crc.update(0, $0) }
            let continued = Array(bytes[cut...]).withUnsafeBytes { crc.update(first, $0) }
            #expect(continued == whole)
            let combined = crc.combine(first, second, secondBytes: Int64(bytes.count - cut))
            #expect(combined == whole)
        }
    }

    @Test func `All algorithms are computed in one pass`() {
        var hasher = ContentHasher(Set(ChecksumAlgorithm.allCases))
        Array("hello world".utf8).withUnsafeBytes { hasher.update($0) }
        let digests = hasher.finish()
        #expect(digests.etag == "5eb63bbbe01eeed093cb22bb8f5acdc3")
        #expect(digests.base64(.crc32) == "DUoRhQ==")
        #expect(digests.base64(.crc32c) == "yZRlqg==")
        #expect(digests.base64(.sha1) == "Kq5sNclPz7QV2+lfQIuc6R7oRu0=")
        #expect(digests.base64(.sha256) == "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=")
        #expect(digests.byteCount == 11)
    }

    @Test(arguments: [
        (ChecksumAlgorithm.crc64nvme, ObjectChecksum.Kind.composite, false), (.crc64nvme, .fullObject, true),
        (.sha1, .fullObject, false), (.sha256, .composite, true), (.crc32, .fullObject, true),
        (.crc32c, .composite, true),
    ])
    func `Algorithms allow the kinds that S3 allows`(
        _ algorithm: ChecksumAlgorithm, _ kind: ObjectChecksum.Kind, _ isAllowed: Bool
    ) {
        #expect(algorithm.allows(kind) == isAllowed)
    }
}

@Suite struct VersionIdentifierTests {
    @Test(arguments: [Int64(1), 2, 255, 65536, 1 << 40, .max])
    func `Identifiers give their sequence number back`(_ sequence: Int64) {
        let id = VersionIdentifier.make(sequence: sequence)
        #expect(id.utf8.count == 32)
        #expect(VersionIdentifier.sequence(of: id) == sequence)
        #expect(VersionIdentifier.make(sequence: sequence) != id)
    }

    @Test(arguments: ["", "null", "abc", "AAAA", "not-a-version-id-not-a-version-i"])
    func `Other texts are no identifiers`(_ text: String) {
        #expect(VersionIdentifier.sequence(of: text) == nil)
    }
}

@Suite struct EntityTagTests {
    @Test(arguments: [
        ("\"abc\"", true), ("abc", true), ("&#34;abc&#34;", true), ("W/\"abc\"", true), ("*", true),
        ("\"x\", \"abc\"", true), ("\"x\"", false), ("", false), ("ab", false),
    ])
    func `Conditions accept tags in every spelling that clients use`(_ condition: String, _ matches: Bool) {
        #expect(EntityTag.list(condition, contains: "abc") == matches)
    }
}
