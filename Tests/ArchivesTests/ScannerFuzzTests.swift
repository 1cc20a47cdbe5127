import Testing

@testable import Archives

/// Inputs that lie: lengths at their extremes, headers without end, formats within formats without bottom.
@Suite("Scanning hostile containers")
struct ScannerFuzzTests {
    /// A header of the longest kind and a little more: what the scanner may hold back besides the piece it was given last.
    private static let heldMaximum = 132_000

    /// Feeds `input` in pieces of the given sizes and checks after each that all but one header's worth has come out, and
    /// that what came out is what went in. Returns the runs.
    private func scan(_ input: [UInt8], _ hint: String, pieces: () -> Int) -> [(span: ContainerSpan, count: Int)] {
        var scanner = ContainerScanner()
        var output: [UInt8] = []
        var runs: [(span: ContainerSpan, count: Int)] = []
        var isWellFormed = true
        func collect(_ piece: ContainerScanner.Piece) {
            if piece.bytes.isEmpty || runs.isEmpty && !piece.begins { isWellFormed = false }
            output.append(contentsOf: piece.bytes)
            if piece.begins || runs.isEmpty {
                runs.append((piece.span, piece.bytes.count))
            } else {
                runs[runs.count - 1].count += piece.bytes.count
            }
        }
        var position = 0
        var heldMost = 0
        while position < input.count {
            let count = min(max(1, pieces()), input.count - position)
            scanner.feed(Array(input[position..<position + count]), collect)
            position += count
            heldMost = max(heldMost, position - output.count - count)
        }
        scanner.finish(collect)
        #expect(isWellFormed, "\(hint)")
        #expect(output == input, "\(hint)")
        #expect(heldMost <= Self.heldMaximum, "\(hint)")
        for run in runs {
            if let length = run.span.length { #expect(length >= Int64(run.count), "\(hint)") }
            #expect(run.span.depth <= ContainerScanner.maximumDepth, "\(hint)")
        }
        return runs
    }

    @Test("mutated and spliced containers come out as they went in, in the same runs however they are cut")
    func mutated() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let corpus = try ScannerTests.corpus()
        for round in rounds(400) {
            var input = corpus[round % corpus.count]
            for _ in 0..<Int.random(in: 0...8, using: &random) { mutate(&input, corpus, &random) }
            let hint = "seed \(seed), round \(round)"
            let whole = scan(input, hint) { input.count }
            var sizes = random
            let cut = scan(input, hint) { Int.random(in: 1...900, using: &sizes) }
            #expect(whole.map(\.span) == cut.map(\.span), "\(hint)")
            #expect(whole.map(\.count) == cut.map(\.count), "\(hint)")
        }
    }

    @Test("noise behind every signature comes out as it went in") func noise() {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let signatures: [[UInt8]] = [
            [0x50, 0x4B, 3, 4], [0x50, 0x4B, 1, 2], [0x50, 0x4B, 5, 6], [0x50, 0x4B, 7, 8], [0x1F, 0x8B, 8],
            bytes("!<arch>\n"), ScannerTests.tarHeader("n", size: 0o7777), [0xA7, 0x0D, 0x0D, 0x0A],
        ]
        for round in rounds(300) {
            var input: [UInt8] = []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                input += signatures.randomElement(using: &random) ?? []
                input += random.bytes(Int.random(in: 0...200, using: &random))
            }
            var sizes = random
            _ = scan(input, "seed \(seed), round \(round)") { Int.random(in: 1...600, using: &sizes) }
        }
    }

    @Test("headers that never end are given up, not collected") func endlessHeaders() {
        let filler = [UInt8](repeating: 0x41, count: 600_000)
        // A gzip name, a ZIP name and extra field of the greatest length, and a member that only a descriptor ends.
        let gzip: [UInt8] = [0x1F, 0x8B, 8, 0x18, 0, 0, 0, 0, 0, 3]
        let zip: [UInt8] =
            [0x50, 0x4B, 3, 4, 20, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16) + [0xFF, 0xFF, 0xFF, 0xFF]
        let open: [UInt8] =
            [0x50, 0x4B, 3, 4, 20, 0, 8, 0, 8, 0] + [UInt8](repeating: 0, count: 16) + [1, 0, 0, 0]
        for (name, header) in [("gzip", gzip), ("zip", zip), ("descriptor", open)] {
            _ = scan(header + filler, name) { 4_096 }
            _ = scan(header + filler, name) { 100_000 }
        }
        var tar: [UInt8] = []
        for _ in 0..<400 { tar += ScannerTests.tarHeader("x", size: 0, type: "x") }
        _ = scan(tar, "tar") { 777 }
    }

    @Test("containers within containers are followed to a depth and no further") func nesting() {
        var input = bytes(String(repeating: "content ", count: 20))
        for level in 0..<40 {
            input =
                level % 2 == 0 ? ScannerTests.tar([("member", input)]) : ScannerTests.ar([("member", input)])
        }
        let runs = scan(input, "nested") { 1_000 }
        #expect(runs.map(\.span.depth).max() == ContainerScanner.maximumDepth)
    }

    private func mutate(_ input: inout [UInt8], _ corpus: [[UInt8]], _ random: inout SeededGenerator) {
        guard input.count > 8 else { return }
        let position = Int.random(in: 0..<input.count - 8, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: input[position] = UInt8.random(in: 0...255, using: &random)
        case 1: input.removeSubrange(position..<min(input.count, position + Int.random(in: 1...600, using: &random)))
        case 2: input.insert(contentsOf: random.bytes(Int.random(in: 1...600, using: &random)), at: position)
        case 3:
            // A field of four or eight bytes at its extremes.
            let value = [UInt8]([0x00, 0x7F, 0x80, 0xFF].randomElement(using: &random).map { [$0] } ?? [0])
            let count = Bool.random(using: &random) ? 4 : 8
            for offset in 0..<count { input[position + offset] = value[0] }
        case 4:
            let other = corpus.randomElement(using: &random) ?? []
            input.insert(contentsOf: other.prefix(Int.random(in: 0...other.count, using: &random)), at: position)
        case 5:
            // Digits where tar and ar keep lengths.
            for offset in 0..<8 { input[position + offset] = UInt8.random(in: 0x30...0x39, using: &random) }
        default: input.removeLast(Int.random(in: 0...input.count / 2, using: &random))
        }
    }
}
