/// Finds which elements of two sequences correspond: common ends first, then anchors (runs around the rarest common
/// elements, after JGit's HistogramDiff), which keep functions and sections together, then Myers' linear-space algorithm
/// ("An O(ND) Difference Algorithm", 1986) where nothing common is rare. Where that takes too long, less rare anchors do.
struct SequenceMatcher {
    /// `count` elements from `old` in the first sequence correspond to as many from `new` in the second.
    struct Block: Hashable {
        var old: Int
        var new: Int
        var count: Int
    }

    /// The parts still to be matched.
    private struct Region {
        var old: Range<Int>
        var new: Range<Int>
    }

    /// Elements that occur more often than this in a region are no anchors at first.
    private static let rare: Int32 = 4
    /// Elements that occur more often than this in a region are never anchors.
    private static let frequent: Int32 = 64
    /// Most steps of one search for a middle snake.
    private static let snakeSteps = 1_000_000

    private let a: [Int32]
    private let b: [Int32]
    private var budget: Int
    private var blocks: [Block] = []
    /// Whether the budget ran out and some regions were left unmatched.
    private(set) var isApproximate = false

    // Occurrence lists of the region at hand, by element; only touched entries are reset.
    private var heads: [Int32]
    private var counts: [Int32]
    private var nexts: [Int32]
    // Furthest reaching points of Myers' algorithm, forwards and backwards.
    private var forward: [Int32] = []
    private var backward: [Int32] = []

    /// - Parameters:
    ///   - distinct: one more than the largest element.
    ///   - budget: how many steps may be taken before regions are given up as replaced.
    init(_ a: [Int32], _ b: [Int32], distinct: Int, budget: Int) {
        self.a = a
        self.b = b
        self.budget = budget
        heads = [Int32](repeating: -1, count: distinct)
        counts = [Int32](repeating: 0, count: distinct)
        nexts = [Int32](repeating: -1, count: a.count)
    }

    /// The corresponding runs, ascending, maximal.
    mutating func match() -> [Block] {
        var regions = [Region(old: 0..<a.count, new: 0..<b.count)]
        while let region = regions.popLast() {
            let inner = strip(region)
            guard !inner.old.isEmpty, !inner.new.isEmpty else { continue }
            budget -= inner.old.count + inner.new.count
            guard budget > 0 else {
                isApproximate = true
                continue
            }
            switch anchor(in: inner, occurringAtMost: Self.rare) {
            case .run(let block): split(inner, around: block, into: &regions)
            case .nothingInCommon: continue
            case .onlyFrequent:
                if let block = middleSnake(of: inner) {
                    split(inner, around: block, into: &regions)
                } else {
                    isApproximate = true
                    if case .run(let block) = anchor(in: inner, occurringAtMost: Self.frequent) {
                        split(inner, around: block, into: &regions)
                    }
                }
            }
        }
        return merged()
    }

    private mutating func split(_ region: Region, around block: Block, into regions: inout [Region]) {
        if block.count > 0 { blocks.append(block) }
        regions.append(
            Region(
                old: (block.old + block.count)..<region.old.upperBound,
                new: (block.new + block.count)..<region.new.upperBound))
        regions.append(
            Region(old: region.old.lowerBound..<block.old, new: region.new.lowerBound..<block.new))
    }

    /// Takes common ends off a region.
    private mutating func strip(_ region: Region) -> Region {
        var (lowA, lowB) = (region.old.lowerBound, region.new.lowerBound)
        var (highA, highB) = (region.old.upperBound, region.new.upperBound)
        while lowA < highA, lowB < highB, a[lowA] == b[lowB] {
            lowA += 1
            lowB += 1
        }
        if lowA > region.old.lowerBound {
            let count = lowA - region.old.lowerBound
            blocks.append(Block(old: region.old.lowerBound, new: region.new.lowerBound, count: count))
        }
        while lowA < highA, lowB < highB, a[highA - 1] == b[highB - 1] {
            highA -= 1
            highB -= 1
        }
        if highA < region.old.upperBound {
            blocks.append(Block(old: highA, new: highB, count: region.old.upperBound - highA))
        }
        return Region(old: lowA..<highA, new: lowB..<highB)
    }

    // MARK: Histogram

    private enum Anchor {
        case run(Block)
        case nothingInCommon
        case onlyFrequent
    }

    private mutating func anchor(in region: Region, occurringAtMost most: Int32) -> Anchor {
        for index in region.old.reversed() {
            let id = Int(a[index])
            nexts[index] = heads[id]
            heads[id] = Int32(index)
            counts[id] += 1
        }
        defer {
            for index in region.old {
                heads[Int(a[index])] = -1
                counts[Int(a[index])] = 0
            }
        }
        var best = Block(old: 0, new: 0, count: 0)
        var bestRarity = most + 1
        var sawCommon = false
        var position = region.new.lowerBound
        while position < region.new.upperBound {
            let id = Int(b[position])
            var following = position + 1
            if counts[id] > 0 {
                sawCommon = true
                if counts[id] <= most {
                    following = extend(at: position, in: region, best: &best, rarity: &bestRarity)
                }
            }
            position = max(following, position + 1)
        }
        if best.count > 0 { return .run(best) }
        return sawCommon ? .onlyFrequent : .nothingInCommon
    }

    /// Tries every occurrence of the element at `position`; returns where to go on.
    private mutating func extend(at position: Int, in region: Region, best: inout Block, rarity: inout Int32) -> Int {
        var following = position + 1
        var occurrence = heads[Int(b[position])]
        var reached = -1
        while occurrence >= 0 {
            let here = Int(occurrence)
            occurrence = nexts[here]
            // Inside a run that was measured already.
            if here < reached { continue }
            var (startA, startB, endA, endB) = (here, position, here + 1, position + 1)
            var rarest = counts[Int(a[here])]
            while startA > region.old.lowerBound, startB > region.new.lowerBound, a[startA - 1] == b[startB - 1] {
                startA -= 1
                startB -= 1
                rarest = min(rarest, counts[Int(a[startA])])
            }
            while endA < region.old.upperBound, endB < region.new.upperBound, a[endA] == b[endB] {
                rarest = min(rarest, counts[Int(a[endA])])
                endA += 1
                endB += 1
            }
            budget -= endA - startA
            following = max(following, endB)
            reached = endA
            if endA - startA > best.count || rarest < rarity {
                best = Block(old: startA, new: startB, count: endA - startA)
                rarity = rarest
            }
        }
        return following
    }

    // MARK: Myers

    /// A run in the middle of a shortest edit script, possibly of length 0 but never at a corner only; nil where the
    /// budget ran out.
    private mutating func middleSnake(of region: Region) -> Block? {
        let (n, m) = (region.old.count, region.new.count)
        let (a0, b0) = (region.old.lowerBound, region.new.lowerBound)
        let delta = n - m
        let limit = (n + m + 1) / 2
        let offset = limit + 1
        let size = 2 * limit + 3
        if forward.count < size {
            forward = [Int32](repeating: 0, count: size)
            backward = forward
        }
        forward[offset + 1] = 0
        backward[offset + 1] = 0
        var steps = min(budget, Self.snakeSteps)
        for d in 0...limit {
            steps -= d + 1
            budget -= d + 1
            guard steps > 0 else { return nil }
            for k in stride(from: -d, through: d, by: 2) {
                var x = Int(
                    k == -d || (k != d && forward[offset + k - 1] < forward[offset + k + 1])
                        ? forward[offset + k + 1] : forward[offset + k - 1] + 1)
                let start = x
                var y = x - k
                while x < n, y >= 0, y < m, a[a0 + x] == b[b0 + y] {
                    x += 1
                    y += 1
                }
                forward[offset + k] = Int32(x)
                let mirrored = delta - k
                if delta % 2 != 0, mirrored >= -(d - 1), mirrored <= d - 1,
                    x <= n, y <= m, x + Int(backward[offset + mirrored]) >= n
                {
                    return Block(old: a0 + start, new: b0 + start - k, count: x - start)
                }
            }
            for k in stride(from: -d, through: d, by: 2) {
                var x = Int(
                    k == -d || (k != d && backward[offset + k - 1] < backward[offset + k + 1])
                        ? backward[offset + k + 1] : backward[offset + k - 1] + 1)
                let start = x
                var y = x - k
                while x < n, y >= 0, y < m, a[a0 + n - x - 1] == b[b0 + m - y - 1] {
                    x += 1
                    y += 1
                }
                backward[offset + k] = Int32(x)
                let mirrored = delta - k
                if delta % 2 == 0, mirrored >= -d, mirrored <= d, x <= n, y <= m,
                    x + Int(forward[offset + mirrored]) >= n
                {
                    return Block(old: a0 + n - x, new: b0 + m - (x - k), count: x - start)
                }
            }
        }
        return nil
    }

    /// Blocks in order, neighbours joined.
    private func merged() -> [Block] {
        var result: [Block] = []
        for block in blocks.sorted(by: { $0.old < $1.old }) where block.count > 0 {
            if let last = result.last, last.old + last.count == block.old, last.new + last.count == block.new {
                result[result.count - 1].count += block.count
            } else {
                result.append(block)
            }
        }
        return result
    }
}
