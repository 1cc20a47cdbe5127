import Compression
import Testing

@testable import Archives

@Suite("Scanning containers")
struct ScannerTests {
    /// What the scanner emits when fed in pieces of the given sizes, as (role, bytes) runs.
    static func runs(_ input: [UInt8], pieces: (Int) -> Int) -> [(span: ContainerSpan, bytes: [UInt8])] {
        var scanner = ContainerScanner()
        var result: [(span: ContainerSpan, bytes: [UInt8])] = []
        func collect(_ piece: ContainerScanner.Piece) {
            #expect(!piece.bytes.isEmpty)
            if piece.begins || result.isEmpty {
                #expect(piece.begins)
                result.append((piece.span, Array(piece.bytes)))
            } else {
                result[result.count - 1].bytes += piece.bytes
            }
        }
        var position = 0
        while position < input.count {
            let count = min(max(pieces(position), 1), input.count - position)
            scanner.feed(Array(input[position..<(position + count)]), collect)
            position += count
        }
        scanner.finish(collect)
        return result
    }

    static func sampleZip() throws -> [UInt8] {
        var inner = ZipBuilder()
        try inner.add(file: "deep.txt", bytes(String(repeating: "deep ", count: 60)), compress: false)
        var builder = ZipBuilder()
        try builder.add(file: "a.txt", bytes(String(repeating: "text ", count: 200)))
        try builder.add(file: "inner.jar", inner.archive(), compress: false)
        try builder.add(file: "mod.pyc", Self.pyc(bytes(String(repeating: "c", count: 100))), compress: false)
        return try builder.archive()
    }

    static func pyc(_ code: [UInt8]) -> [UInt8] {
        [0xA7, 0x0D, 0x0D, 0x0A, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8] + code
    }

    static func gzip(_ content: [UInt8], name: String = "x", time: UInt8) throws -> [UInt8] {
        var result: [UInt8] = [0x1F, 0x8B, 8, 8, time, 0, 0, 0, 0, 3] + bytes(name) + [0]
        result += try Deflater(level: 6, encoder: .zlib).compressFinal(content)
        result.append(little: CRC32.checksum(content))
        result.append(little: UInt32(content.count))
        return result
    }

    static func tarHeader(_ name: String, size: Int, type: Character = "0", time: Int = 0) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ offset: Int, _ text: String) {
            for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(0, name)
        put(100, "0000644")
        put(124, octal(size, 11))
        put(136, octal(time, 11))
        put(148, "        ")
        put(156, String(type))
        put(257, "ustar\u{0}00")
        put(148, octal(block.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ")
        return block
    }

    static func tar(_ members: [(String, [UInt8])], time: Int = 0) -> [UInt8] {
        var result: [UInt8] = []
        for (name, content) in members {
            result += tarHeader(name, size: content.count, time: time) + content
            result += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
        }
        return result + [UInt8](repeating: 0, count: 1_024)
    }

    static func ar(_ members: [(String, [UInt8])]) -> [UInt8] {
        func padded(_ text: String, _ count: Int) -> String {
            text + String(repeating: " ", count: count - text.utf8.count)
        }
        var result = bytes("!<arch>\n")
        for (name, content) in members {
            let header =
                padded(name + "/", 16) + padded("1700000000", 12) + padded("0", 6) + padded("0", 6)
                + padded("100644", 8) + padded("\(content.count)", 10) + "`\n"
            result += bytes(header) + content
            if content.count % 2 == 1 { result.append(0x0A) }
        }
        return result
    }

    @Test("a zip is cut at its members, also inside a stored archive")
    func zip() throws {
        let input = try Self.sampleZip()
        let runs = Self.runs(input) { _ in 7 }
        #expect(runs.flatMap(\.bytes) == input)
        let bodies = runs.filter { $0.span.role == .body }
        let reader = try LocalZipReader(input)
        let first = try reader.dataRange(of: reader.members[0])
        #expect(bodies[0].bytes == Array(input[Int(first.lowerBound)..<Int(first.upperBound)]))
        #expect(bodies[0].span == ContainerSpan(role: .body, format: .zip, depth: 0, length: Int64(first.count)))
        #expect(bodies[1].bytes == bytes(String(repeating: "deep ", count: 60)))
        #expect(bodies[1].span.depth == 1)
        #expect(bodies[2].bytes == bytes(String(repeating: "c", count: 100)))
        #expect(bodies[2].span.format == .pyc)
    }

    @Test("members with descriptors are found by the size these record", arguments: [16, 24])
    func descriptors(length: Int) throws {
        let content = bytes(String(repeating: "PK\u{7}\u{8} is not a descriptor ", count: 20))
        let header: (UInt8) -> [UInt8] = { name in
            [0x50, 0x4B, 3, 4, 20, 0, 8, 0, 0, 0, 0, 0, 0x21, 0] + [UInt8](repeating: 0, count: 12) + [
                1, 0, 0, 0, name,
            ]
        }
        var descriptor: [UInt8] = [0x50, 0x4B, 7, 8, 1, 2, 3, 4]
        for _ in 0..<2 {
            if length == 16 {
                descriptor.append(little: UInt32(content.count))
            } else {
                descriptor.append(little: UInt64(content.count))
            }
        }
        let member: (UInt8) -> [UInt8] = { header($0) + content + descriptor }
        let input = member(0x61) + member(0x62) + [0x50, 0x4B, 1, 2] + [UInt8](repeating: 9, count: 60)
        for size in [1, 5, 64, 100_000] {
            let runs = Self.runs(input) { _ in size }
            #expect(runs.flatMap(\.bytes) == input)
            #expect(runs.filter { $0.span.role == .body }.map(\.bytes) == [content, content])
        }
    }

    @Test("two gzips that differ in time only have equal bodies")
    func gzip() throws {
        let content = bytes(String(repeating: "json", count: 500))
        let one = Self.runs(try Self.gzip(content, time: 1)) { _ in 11 }
        let two = Self.runs(try Self.gzip(content, time: 2)) { _ in 5_000 }
        #expect(one.map(\.span.role) == [.skeleton, .body])
        #expect(one[0].bytes != two[0].bytes)
        #expect(one[1].bytes == two[1].bytes)
    }

    @Test("a tar is cut at its members; what is inside them too")
    func tar() throws {
        let packed = try Self.gzip(bytes("packed content of some length, more than the least"), time: 9)
        let input = Self.tar([("a", bytes("alpha")), ("b.gz", packed), ("empty", []), ("c", Self.random(1_024))])
        let runs = Self.runs(input) { $0 % 3 == 0 ? 100 : 513 }
        #expect(runs.flatMap(\.bytes) == input)
        let bodies = runs.filter { $0.span.role == .body }.map(\.bytes)
        #expect(bodies.count == 3)
        #expect(bodies[0] == bytes("alpha"))
        #expect(packed.suffix(bodies[1].count).elementsEqual(bodies[1]))
        #expect(bodies[2] == Self.random(1_024))
    }

    @Test("an ar is cut at its members, and a deb's control archive inside it")
    func ar() throws {
        let control = try Self.gzip(Self.tar([("./control", bytes("Package: x"))]), time: 3)
        let input = Self.ar([("debian-binary", bytes("2.0\n")), ("control.tar.gz", control), ("odd", bytes("abc"))])
        let runs = Self.runs(input) { _ in 33 }
        #expect(runs.flatMap(\.bytes) == input)
        let bodies = runs.filter { $0.span.role == .body }.map(\.bytes)
        #expect(bodies[0] == bytes("2.0\n"))
        #expect(control.suffix(bodies[1].count).elementsEqual(bodies[1]))
        #expect(bodies[2] == bytes("abc"))
    }

    @Test("bytes without structure are one run, and nothing gives nothing")
    func plain() {
        let input = Self.random(10_000)
        let runs = Self.runs(input) { _ in 999 }
        #expect(runs.count == 1)
        #expect(runs[0].span.format == nil)
        #expect(Self.runs([]) { _ in 1 }.isEmpty)
        #expect(ContainerScanner.spans(of: input).map(\.range) == [0..<10_000])
    }

    @Test("how the stream is cut into pieces changes nothing")
    func pieces() throws {
        for input in try Self.corpus() {
            let whole = Self.runs(input) { _ in input.count }
            for size in [1, 3, 30, 511, 512, 4_096] {
                let runs = Self.runs(input) { _ in size }
                #expect(runs.map(\.bytes) == whole.map(\.bytes))
                #expect(runs.map(\.span) == whole.map(\.span))
            }
        }
    }

    @Test("whatever is fed in comes out, byte for byte")
    func lossless() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let corpus = try Self.corpus()
        for round in rounds(1_500) {
            var input = corpus[round % corpus.count]
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                mutate(&input, &random)
            }
            var pieceRandom = random
            let runs = Self.runs(input) { _ in Int.random(in: 1...700, using: &pieceRandom) }
            let output = runs.flatMap(\.bytes)
            #expect(output == input, "seed \(seed), round \(round)")
            for run in runs where run.span.length != nil {
                #expect(run.span.length ?? 0 >= Int64(run.bytes.count), "seed \(seed), round \(round)")
            }
        }
    }

    private func mutate(_ input: inout [UInt8], _ random: inout SeededGenerator) {
        guard !input.isEmpty else { return }
        let position = Int.random(in: input.indices, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: input[position] = UInt8.random(in: 0...255, using: &random)
        case 1: input.removeSubrange(position..<min(input.count, position + 40))
        case 2: input.insert(contentsOf: random.bytes(20), at: position)
        case 3: input.insert(contentsOf: [0x50, 0x4B, 3, 4], at: position)
        default: input.removeLast(Int.random(in: 0...input.count / 2, using: &random))
        }
    }

    static func random(_ count: Int) -> [UInt8] {
        var generator = SeededGenerator(11)
        return generator.bytes(count)
    }

    static func corpus() throws -> [[UInt8]] {
        let zip = try sampleZip()
        let gz = try gzip(bytes(String(repeating: "gz", count: 300)), time: 1)
        let tarball = tar([("z.zip", zip), ("g", gz), ("p.pyc", pyc(random(90)))], time: 5)
        return [zip, gz, tarball, ar([("t.tar", tarball), ("x", random(77))]), pyc(random(50)), random(3_000)]
    }
}
