import Testing

@testable import Cryptography

@Suite("Secret memory")
struct SecretMemoryTests {
    @Test("that grows leaves nothing behind")
    func growth() throws {
        // Random, so that it is nowhere else, and of a size that few others use: the freed block may be in use again.
        let pattern = SecureRandom.bytes(64)
        var buffer = SecretBuffer(reserving: 9000)
        while buffer.count < 8960 { pattern.withUnsafeBytes { buffer.append($0) } }
        let before = try #require(buffer.withUnsafeBytes { $0.baseAddress })
        pattern.withUnsafeBytes { buffer.append($0) }
        let after = try #require(buffer.withUnsafeBytes { $0.baseAddress })
        #expect(before != after)
        // Blocks of this size stay mapped.
        let old = UnsafeRawBufferPointer(start: before, count: 8960)
        let isWiped = stride(from: 0, to: 8960, by: 64).allSatisfy { !old[$0..<($0 + 64)].elementsEqual(pattern) }
        #expect(isWiped)
        let expected = Array(repeatElement(pattern, count: 141).joined())
        let content = buffer.finish().disclosing()
        #expect(content == expected)
    }

    @Test("takes pieces of every size", arguments: [0, 1, 63, 64, 65, 16_384, 16_385, 70_000, 2 << 20])
    func sizes(count: Int) {
        var buffer = SecretBuffer()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        bytes.withUnsafeBytes { buffer.append($0) }
        bytes.prefix(7).withUnsafeBytes { buffer.append($0) }
        let content = buffer.finish().disclosing()
        #expect(content == bytes + bytes.prefix(7))
    }

    @Test("is read from base 64 and written to it as all other text")
    func base64() throws {
        for count in 0..<100 {
            let secret = SecretBytes.random(count: count)
            let text = Base64.encode(secret.disclosing())
            #expect(Base64.encodedCount(count) == text.utf8.count)
            let written = SecretBytes(count: text.utf8.count) { target in
                secret.withUnsafeBytes { Base64.encode($0, into: target) }
            }
            #expect(written.disclosing() == Array(text.utf8))
            let read = try #require(written.withUnsafeBytes { Base64.decodeSecret($0) })
            #expect(constantTimeEqual(read, secret))
        }
        for text in ["A", "AA", "AA=", "AB==", "AAB=", "A===", "====", "AA-_", "AAAA=", "AA==AAAA", " AA=", "Ünïc"] {
            let read = Array(text.utf8).withUnsafeBytes { Base64.decodeSecret($0) }
            #expect(read == nil, "\(text)")
            #expect(Base64.decode(text) == nil, "\(text)")
        }
    }
}
