import Compression
import Testing

/// Bytes with words, runs and noise, from a seed.
private func sample(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    var bytes: [UInt8] = []
    let words = ["artifact", "pipeline", "stage", "\n", "  ", "execution", "0000", "{\"key\": \"value\"}"]
    while bytes.count < count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let pick = Int(state >> 33)
        if pick % 11 == 0 { bytes.append(UInt8(truncatingIfNeeded: pick >> 8)) }
        bytes.append(contentsOf: words[pick % words.count].utf8)
    }
    return Array(bytes[..<count])
}

@Suite struct CompressionTests {
    static let encoders: [Encoder] = CompressionEngine.hasIgzip ? [.zlib, .igzip] : [.zlib]
    static let sizes = [0, 1, 2, 100, 4096, 65_536, 262_144]

    @Test("A fragment restores to exactly its bytes with every library", arguments: encoders, sizes)
    func fragments(encoder: Encoder, size: Int) throws {
        let deflater = try Deflater(level: 1, encoder: encoder)
        for seed in 1...3 as ClosedRange<UInt64> {
            let bytes = sample(size, seed: seed)
            let fragment = try deflater.compressFragment(bytes)
            #expect(fragment.suffix(4) == [0, 0, 0xFF, 0xFF])
            for reader in Self.encoders {
                let inflater = try Inflater(encoder: reader)
                #expect(try inflater.inflate(fragment, count: size) == bytes)
                #expect(throws: CompressionError.self) { try inflater.inflate(fragment, count: size + 1) }
                if size > 0 {
                    #expect(throws: CompressionError.self) { try inflater.inflate(fragment, count: size - 1) }
                }
                #expect(throws: CompressionError.self) {
                    try inflater.inflate(Array(fragment.dropLast(6)), count: size + 2)
                }
            }
        }
    }

    @Test("Fragments concatenate into one stream, whoever wrote them", arguments: encoders)
    func concatenation(encoder: Encoder) throws {
        let pieces = (1...5).map { sample(30_000, seed: UInt64($0)) }
        let deflater = try Deflater(level: 1, encoder: encoder)
        let other = try Deflater(level: 6, encoder: .zlib)
        var stream: [UInt8] = []
        for (index, piece) in pieces.enumerated() {
            stream += try (index % 2 == 0 ? deflater : other).compressFragment(piece)
        }
        stream += Deflater.endOfStream
        #expect(try inflateAll(stream, .raw) == pieces.flatMap { $0 })
    }

    @Test("Encoders of one kind write the same bytes, wherever they are in memory", arguments: encoders)
    func sameBytes(encoder: Encoder) throws {
        let texts = [20, 25, 40, 60, 200].map { count in (0..<count).map { Array("13 2 ".utf8)[$0 % 5] } }
        var kept: [Deflater] = []
        var expected: [[UInt8]] = []
        for _ in 0..<400 {
            let deflater = try Deflater(level: 1, encoder: encoder)
            kept.append(deflater)
            let fragments = try texts.map { try deflater.compressFragment($0) }
            if expected.isEmpty { expected = fragments }
            #expect(fragments == expected)
        }
        #expect(kept.count == 400)
    }

    @Test("Noise does not fit a shorter output, and fits the bound", arguments: encoders)
    func incompressible(encoder: Encoder) throws {
        var generator = SystemRandomNumberGenerator()
        let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let deflater = try Deflater(level: 1, encoder: encoder)
        var short = [UInt8](repeating: 0, count: 97_000)
        #expect(throws: CompressionError.outputTooSmall(capacity: 97_000)) {
            try short.withUnsafeMutableBytes { output in
                try noise.withUnsafeBytes { try deflater.compressFragment($0, into: output) }
            }
        }
        #expect(try Inflater().inflate(deflater.compressFragment(noise), count: noise.count) == noise)
    }

    @Test("A final stream is complete", arguments: encoders)
    func finalStream(encoder: Encoder) throws {
        let bytes = sample(50_000, seed: 9)
        #expect(try inflateAll(Deflater(level: 1, encoder: encoder).compressFinal(bytes), .raw) == bytes)
    }

    @Test(
        "Streams of every format round trip through small buffers", arguments: [InflateStream.Format.raw, .gzip, .zlib])
    func streams(format: InflateStream.Format) throws {
        let bytes = sample(200_000, seed: 4)
        let deflater = try DeflateStream(format: format, level: 6)
        var packed: [UInt8] = []
        try deflater.append(Array(bytes[..<70_001]), to: &packed)
        try deflater.append(Array(bytes[70_001...]), to: &packed, finish: true)
        #expect(packed.count < bytes.count / 2)
        #expect(try inflateAll(packed, format) == bytes)
        packed[packed.count / 2] ^= 0x55
        if format != .raw { #expect(throws: CompressionError.self) { try inflateAll(packed, format) } }
    }

    private func inflateAll(_ packed: [UInt8], _ format: InflateStream.Format) throws -> [UInt8] {
        let stream = try InflateStream(format: format)
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        var offset = 0
        while true {
            let step = try buffer.withUnsafeMutableBytes { target in
                try packed[offset..<min(offset + 777, packed.count)].withUnsafeBytes {
                    try stream.step($0, into: target)
                }
            }
            offset += step.consumed
            output += buffer[..<step.produced]
            if step.ended { return output }
            if step.consumed == 0 && step.produced == 0 { throw CompressionError.malformed("truncated") }
        }
    }

    @Test("CRC-32 has its check value and combines")
    func crc() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        let bytes = sample(10_000, seed: 5)
        for cut in [0, 1, 5000, 10_000] {
            let first = CRC32.checksum(Array(bytes[..<cut]))
            let second = CRC32.checksum(Array(bytes[cut...]))
            #expect(CRC32.combine(first, second, Int64(10_000 - cut)) == CRC32.checksum(bytes))
            #expect(CRC32.update(first, Array(bytes[cut...])) == CRC32.checksum(bytes))
        }
    }

    @Test("The engine says what it uses")
    func status() {
        #expect(!CompressionEngine.igzip.isEmpty)
        #expect(CompressionEngine.resolve(.zlib, level: 1) == .zlib)
    }
}
