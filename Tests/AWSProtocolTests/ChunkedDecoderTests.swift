import Testing

@testable import AWSProtocol

struct ChunkedDecoderTests {
    static func decode(
        _ text: String, expected: Int64? = nil, trailers: [String] = [], pieces: Int = 1 << 20
    ) throws(AWSError) -> (content: String, trailers: [String: String]) {
        var decoder = ChunkedDecoder(
            signing: nil, expectedBytes: expected, declaredTrailers: trailers, expectsTrailer: true)
        var output: [UInt8] = []
        let input = Array(text.utf8)
        var index = 0
        while index < input.count {
            let end = min(index + pieces, input.count)
            try decoder.decode(Array(input[index..<end]), into: &output)
            index = end
        }
        try decoder.finish()
        return (
            String(decoding: output, as: UTF8.self),
            Dictionary(uniqueKeysWithValues: decoder.trailers.map { ($0.name, $0.value) })
        )
    }

    @Test(arguments: [1, 2, 3, 1000])
    func unsignedChunksWithATrailerAreTakenApart(pieces: Int) throws {
        let result = try Self.decode(
            "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-Amz-Checksum-Crc32: abc= \r\n\r\n", expected: 6,
            trailers: ["x-amz-checksum-crc32"], pieces: pieces)
        #expect(result.content == "hello!")
        #expect(result.trailers == ["x-amz-checksum-crc32": "abc="])
    }

    static let refused: [(String, Int64?, [String], String)] = [
        ("5\r\nhel", 5, [], "IncompleteBody"),
        ("0\r\n", 0, [], "IncompleteBody"),
        ("", 0, [], "IncompleteBody"),
        ("5\r\nhello\r\n0\r\n\r\n", 6, [], "IncompleteBody"),
        ("5\r\nhello\r\n0\r\n\r\n", 4, [], "IncompleteBody"),
        ("ffffffffffffffff\r\n", nil, [], "InvalidRequest"),
        ("g\r\n", nil, [], "InvalidRequest"),
        ("\r\n", nil, [], "InvalidRequest"),
        ("1\nx\r\n0\r\n\r\n", nil, [], "InvalidRequest"),
        ("1\r\nxy\r\n0\r\n\r\n", nil, [], "InvalidRequest"),
        ("0\r\n\r\nmore", nil, [], "InvalidRequest"),
        (String(repeating: "1", count: 5000), nil, [], "InvalidRequest"),
        ("0\r\nx-amz-other:1\r\n\r\n", nil, [], "MalformedTrailerError"),
        ("0\r\n\r\n", nil, ["x-amz-checksum-crc32"], "MalformedTrailerError"),
        ("0\r\nnonsense\r\n\r\n", nil, [], "MalformedTrailerError"),
    ]

    @Test(arguments: refused)
    func malformedFramingIsRefused(text: String, expected: Int64?, trailers: [String], code: String) {
        #expect { try Self.decode(text, expected: expected, trailers: trailers) } throws: { error in
            (error as? AWSError)?.code == code
        }
    }

    @Test func randomFramingDecodesToItsContentAndRandomBytesNeverTrap() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var framed: [UInt8] = []
            var content: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<5, using: &random) {
                let chunk = (0..<Int.random(in: 1..<300, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                content += chunk
                framed += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
            }
            framed += Array("0\r\n\r\n".utf8)
            var decoder = ChunkedDecoder(
                signing: nil, expectedBytes: Int64(content.count), declaredTrailers: [], expectsTrailer: false)
            var output: [UInt8] = []
            var rest = framed[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1..<100, using: &random))
                rest = rest.dropFirst(piece.count)
                try decoder.decode(Array(piece), into: &output)
            }
            try decoder.finish()
            #expect(output == content, "seed \(seed)")
            Self.mutate(framed, &random)
        }
    }

    /// Decodes a damaged copy; any outcome but a trap will do.
    static func mutate(_ framed: [UInt8], _ random: inout SeededGenerator) {
        var bytes = framed
        for _ in 0..<3 {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        var decoder = ChunkedDecoder(
            signing: nil, expectedBytes: nil, declaredTrailers: [], expectsTrailer: false)
        var output: [UInt8] = []
        do throws(AWSError) {
            try decoder.decode(bytes, into: &output)
            try decoder.finish()
        } catch { _ = error.code }
    }
}
