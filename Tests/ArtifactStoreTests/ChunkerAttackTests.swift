import Cryptography
import Testing

@testable import ArtifactStore

/// The attack on chunkers that decide by a keyed rolling hash itself (Truong, Merz, Scarlata, Günther, Paterson, "Breaking and
/// Fixing Content-Defined Chunking", 2025; Alexeev, Percival, Zhang, "Chunking attacks on file backup services", 2025): who has
/// files of his choice stored and sees how long the chunks are solves for the key, and then tells from lengths alone whether a
/// file is there.
@Suite("Who sees where chosen content is cut")
struct ChunkerAttackTests {
    private func key(_ byte: UInt8) -> SecretBytes { SecretBytes(copying: Array(repeating: byte, count: 32)) }

    @Test("learns the key of the gear chunker and finds a known file by its lengths")
    func gear() throws {
        let cutter = GearCutter(cutKey: key(21))
        let attack = ChunkerAttack(seed: 0x6EA2)
        let found = try attack.recover { cutter.cut($0, isLast: $1) }
        let table = try #require(found)
        let (stored, other) = (attack.document(seed: 1), attack.document(seed: 2))
        let seen = try lengths(stored, cutter)
        #expect(seen.count > 10)
        // The recovered table predicts nearly every cut of a file that was never stored by the attacker …
        #expect(try agreement(try lengths(stored, table.cutter), seen) > 0.9)
        // … so that the file is told from another of the same kind.
        #expect(try agreement(try lengths(other, table.cutter), seen) < 0.1)
    }

    @Test("learns nothing from the chunker that cuts on a pseudo-random function", arguments: [31, 32] as [UInt8])
    func prf(_ byte: UInt8) throws {
        let cutter = try PRFCutter(cutKey: key(byte))
        let table = try ChunkerAttack(seed: 0x6EA2).recover { try cutter.cut($0, isLast: $1) }
        #expect(table == nil, "no key of a rolling hash explains the cuts")
    }

    private func lengths(_ bytes: [UInt8], _ cutter: any StreamCutter) throws -> [Int] {
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

    /// The share of places of `seen` that `predicted` has too.
    private func agreement(_ predicted: [Int], _ seen: [Int]) throws -> Double {
        func places(_ lengths: [Int]) -> Set<Int> {
            var end = 0
            return Set(
                lengths.dropLast().map {
                    end += $0
                    return end
                })
        }
        let seen = places(seen)
        return Double(places(predicted).intersection(seen).count) / Double(seen.count)
    }
}

/// Solves for a gear table over a small alphabet.
///
/// At a cut, the hash of the last 64 bytes is below 2^47 or 2^49. Where these are `filler` and one other letter, the hash is
/// `A·D − g` modulo 2^64: `A` has a bit for each place of the letter, `D` is the difference of the two table values and `g` the
/// filler's. Two cuts give `ΔA·D ≈ 0`. Chosen text makes some `ΔA` small, so that the few values of `D` that fit can be listed;
/// each further pair leaves fewer, with larger and larger `ΔA` until one is left.
private struct ChunkerAttack {
    let seed: UInt64
    /// Filler and three letters: a file of two bits a byte.
    static let letters = Array("tACG".utf8)

    /// What the attacker ends up with.
    struct Table {
        var values: [UInt64]

        /// A chunker that behaves as the attacked one on texts of the alphabet.
        var cutter: any StreamCutter { Imitation(values: values) }
    }

    private struct Cut {
        var pattern: UInt64
        var bound: UInt64
    }

    private struct Interval {
        var low: Int128
        var high: Int128
    }

    private static let modulus = Int128(1) << 64

    func recover(_ cut: (UnsafeRawBufferPointer, Bool) throws -> Int?) throws -> Table? {
        var differences: [UInt64] = []
        var filler: Interval?
        for letter in 1..<Self.letters.count {
            let cuts = try observe(letter, cut)
            // The steps alone leave the difference and its negative, of which only one fits the cuts themselves.
            let fitting = solve(cuts).compactMap { difference in
                narrowed(filler, difference, cuts).map { (difference: difference, filler: $0) }
            }
            guard let found = fitting.first else { return nil }
            differences.append(found.difference)
            filler = found.filler
        }
        guard let filler else { return nil }
        // Sixty-four fillers hash to −g: their table value is g itself.
        let value = UInt64(truncatingIfNeeded: (filler.low + filler.high) / 2)
        return Table(values: [value] + differences.map { value &+ $0 })
    }

    /// Where the filler's value lies if a difference is the right one: 0 ≤ A·D − g < bound at each cut.
    private func narrowed(_ known: Interval?, _ difference: UInt64, _ cuts: [Cut]) -> Interval? {
        var filler = known
        for cut in cuts {
            let top = Int128(cut.pattern &* difference)
            var found = Interval(low: top - Int128(cut.bound) + 1, high: top)
            if let known = filler {
                let turn = floor(known.low - found.low + Self.modulus / 2, Self.modulus) * Self.modulus
                found = Interval(low: max(known.low, found.low + turn), high: min(known.high, found.high + turn))
            }
            guard found.low <= found.high else { return nil }
            filler = found
        }
        return filler
    }

    /// Has a chosen text cut, and notes the pattern before each cut.
    private func observe(_ letter: Int, _ cut: (UnsafeRawBufferPointer, Bool) throws -> Int?) throws -> [Cut] {
        let text = chosen(letter)
        var found: [Cut] = []
        try text.withUnsafeBytes { all in
            var start = 0
            while let length = try cut(UnsafeRawBufferPointer(rebasing: all[start...]), true) {
                let end = start + length
                guard end < all.count else { break }
                if length < 256 << 10 {
                    var pattern: UInt64 = 0
                    for place in end - 64..<end { pattern = pattern << 1 | (all[place] == Self.letters[0] ? 0 : 1) }
                    // The chunker looks at the byte before the cut with the mask that holds there.
                    let bound: UInt64 = length <= 64 << 10 ? 1 << 47 : 1 << 49
                    if !found.contains(where: { $0.pattern == pattern }) {
                        found.append(Cut(pattern: pattern, bound: bound))
                    }
                }
                start = end
            }
        }
        return found
    }

    /// Short runs of letters between long runs of filler: patterns of all magnitudes, small ones among them.
    private func chosen(_ letter: Int) -> [UInt8] {
        var random = SeededGenerator(seed: seed &+ UInt64(letter))
        var text = [UInt8](repeating: Self.letters[0], count: 5 << 20)
        var place = 64
        while place + 160 < text.count {
            let bits = random.next()
            for offset in 0..<32 where bits >> UInt64(offset) & 1 == 1 { text[place + offset] = Self.letters[letter] }
            place += 96
        }
        return text
    }

    /// The differences of two table values with which the hashes of all cuts are close to each other.
    private func solve(_ cuts: [Cut]) -> [UInt64] {
        var pairs: [(step: UInt64, error: Int128)] = []
        for (index, one) in cuts.enumerated() {
            for other in cuts[..<index] {
                let step = one.pattern > other.pattern ? one.pattern - other.pattern : other.pattern - one.pattern
                // Products with a value of 64 bits have to fit.
                if step < 1 << 62 { pairs.append((step, Int128(max(one.bound, other.bound)))) }
            }
        }
        pairs.sort { $0.step < $1.step }
        guard let first = pairs.first, first.step < 1 << 22 else { return [] }
        // Of all signed values but those near zero, with which everything would be cut everywhere.
        let half = Self.modulus / 2
        var candidates = [Interval(low: -half, high: -1 << 52), Interval(low: 1 << 52, high: half - 1)]
        for (index, pair) in pairs.enumerated() {
            let step = Int128(pair.step)
            var left: [Interval] = []
            for candidate in candidates {
                // step·D is within error of a multiple of 2^64.
                let from = ceiling(candidate.low * step - pair.error, Self.modulus)
                let to = floor(candidate.high * step + pair.error, Self.modulus)
                guard from <= to else { continue }
                // Too wide still to say anything with so large a step; the first is there to be enumerated.
                guard index == 0 || to - from < 4 else {
                    left.append(candidate)
                    continue
                }
                for multiple in from...to {
                    let low = max(candidate.low, ceiling(multiple * Self.modulus - pair.error, step))
                    let high = min(candidate.high, floor(multiple * Self.modulus + pair.error, step))
                    if low <= high { left.append(Interval(low: low, high: high)) }
                }
            }
            candidates = left
        }
        return candidates.count > 64 ? [] : candidates.map { UInt64(truncatingIfNeeded: ($0.low + $0.high) / 2) }
    }

    private func floor(_ value: Int128, _ divisor: Int128) -> Int128 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }

    private func ceiling(_ value: Int128, _ divisor: Int128) -> Int128 { -floor(-value, divisor) }

    /// A text of the alphabet, such as a genome: what somebody else may have stored.
    func document(seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        text.reserveCapacity(2 << 20)
        while text.count < 2 << 20 {
            let bits = random.next()
            for shift in 0..<32 { text.append(Self.letters[Int(bits >> UInt64(2 * shift) & 3)]) }
        }
        return text
    }

    /// The chunker as the attacker knows it, with the recovered values.
    private struct Imitation: StreamCutter {
        let values: [UInt64]
        let maximum = 256 << 10

        func cut(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Int? {
            guard bytes.count > GearCutter.minimum else { return bytes.isEmpty ? nil : bytes.count }
            var table = [UInt64](repeating: 0, count: 256)
            for (letter, value) in zip(ChunkerAttack.letters, values) { table[Int(letter)] = value }
            var hash: UInt64 = 0
            for place in GearCutter.minimum - 64..<min(bytes.count, maximum) {
                hash = hash << 1 &+ table[Int(bytes[place])]
                guard place >= GearCutter.minimum else { continue }
                if hash >> (place < GearCutter.target ? 47 : 49) == 0 { return place + 1 }
            }
            return min(bytes.count, maximum)
        }
    }
}
