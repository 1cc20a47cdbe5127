/// Finds which elements of two sequences correspond: common ends first, then elements that occur once on each side, in
/// the longest run of equal order (Cohen's patience diff), which keeps functions and sections together; between those
/// Myers' linear-space algorithm ("An O(ND) Difference Algorithm", 1986). All within a budget of steps.
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

    /// Most steps of one search for a middle snake; a search that takes longer settles for the best point so far.
    private static let snakeSteps = 1_000_000

    private let a: [Int32]
    private let b: [Int32]
    private var budget: Int
    private var blocks: [Block] = []
    /// Whether the budget ran out somewhere, so that the result is true but not the smallest.
    private(set) var isApproximate = false

    // How often each element occurs in the region at hand, and where; only touched entries are reset.
    private var oldCounts: [Int32]
    private var newCounts: [Int32]
    private var oldPositions: [Int32]
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
        oldCounts = [Int32](repeating: 0, count: distinct)
        newCounts = oldCounts
        oldPositions = oldCounts
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
            let (anchors, hasCommon) = uniqueAnchors(in: inner)
            if !anchors.isEmpty {
                split(inner, around: anchors, into: &regions)
            } else if hasCommon {
                split(inner, around: [middleSnake(of: inner)], into: &regions)
            }
        }
        return merged()
    }

    /// Notes the blocks and leaves what lies between them to be matched, from the front: what a search that was cut short
    /// left behind it is cheap, what lies before it may use up the budget.
    private mutating func split(_ region: Region, around found: [Block], into regions: inout [Region]) {
        var between: [Region] = []
        var (old, new) = (region.old.lowerBound, region.new.lowerBound)
        for block in found {
            if block.count > 0 { blocks.append(block) }
            if block.old > old, block.new > new { between.append(Region(old: old..<block.old, new: new..<block.new)) }
            (old, new) = (block.old + block.count, block.new + block.count)
        }
        if old < region.old.upperBound, new < region.new.upperBound {
            between.append(Region(old: old..<region.old.upperBound, new: new..<region.new.upperBound))
        }
        regions += between.reversed()
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

    // MARK: Unique elements

    /// Elements that occur once on each side, as many as keep their order; and whether anything is common at all.
    private mutating func uniqueAnchors(in region: Region) -> (anchors: [Block], hasCommon: Bool) {
        for index in region.old {
            oldCounts[Int(a[index])] += 1
            oldPositions[Int(a[index])] = Int32(index)
        }
        for index in region.new { newCounts[Int(b[index])] += 1 }
        defer {
            for index in region.old { oldCounts[Int(a[index])] = 0 }
            for index in region.new { newCounts[Int(b[index])] = 0 }
        }
        var hasCommon = false
        var candidates: [Block] = []
        for index in region.new {
            let id = Int(b[index])
            guard oldCounts[id] > 0 else { continue }
            hasCommon = true
            if oldCounts[id] == 1, newCounts[id] == 1 {
                candidates.append(Block(old: Int(oldPositions[id]), new: index, count: 1))
            }
        }
        return (Self.longestAscending(candidates), hasCommon)
    }

    /// The longest selection of blocks, given in the order of the new side, that ascends on the old side too.
    private static func longestAscending(_ candidates: [Block]) -> [Block] {
        // tails[n]: the candidate with the smallest old position that ends an ascending selection of n + 1.
        var tails: [Int] = []
        var previous = [Int](repeating: -1, count: candidates.count)
        for (index, candidate) in candidates.enumerated() {
            var low = 0
            var high = tails.count
            while low < high {
                let middle = (low + high) / 2
                if candidates[tails[middle]].old < candidate.old { low = middle + 1 } else { high = middle }
            }
            if low > 0 { previous[index] = tails[low - 1] }
            if low == tails.count { tails.append(index) } else { tails[low] = index }
        }
        var result: [Block] = []
        var next = tails.last ?? -1
        while next >= 0 {
            result.append(candidates[next])
            next = previous[next]
        }
        return result.reversed()
    }

    // MARK: Myers

    /// A run in the middle of a shortest edit script, possibly of length 0, never a corner of the region. Where the
    /// search takes too long: the furthest point reached so far.
    private mutating func middleSnake(of region: Region) -> Block {
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
        var furthest = Block(old: a0 + 1, new: b0, count: 0)
        for d in 0...limit {
            steps -= d + 1
            budget -= d + 1
            guard steps > 0 else { break }
            for k in stride(from: -d, through: d, by: 2) {
                var x = Self.step(forward, offset, k, d)
                let start = x
                var y = x - k
                while x < n, y >= 0, y < m, a[a0 + x] == b[b0 + y] {
                    x += 1
                    y += 1
                }
                forward[offset + k] = Int32(x)
                let isInside = x <= n && y <= m
                let mirrored = delta - k
                if delta % 2 != 0, mirrored >= -(d - 1), mirrored <= d - 1, isInside,
                    x + Int(backward[offset + mirrored]) >= n
                {
                    return Block(old: a0 + start, new: b0 + start - k, count: x - start)
                }
                if isInside, x + y > furthest.old - a0 + furthest.new - b0, x + y < n + m {
                    furthest = Block(old: a0 + x, new: b0 + y, count: 0)
                }
            }
            for k in stride(from: -d, through: d, by: 2) {
                var x = Self.step(backward, offset, k, d)
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
        isApproximate = true
        return furthest
    }

    /// Where the next edit leads on diagonal `k`, from the better of its neighbours.
    private static func step(_ points: [Int32], _ offset: Int, _ k: Int, _ d: Int) -> Int {
        let (left, right) = (points[offset + k - 1], points[offset + k + 1])
        return Int(k == -d || (k != d && left < right) ? right : left + 1)
    }

    /// Blocks in order, neighbours joined.
    private func merged() -> [Block] {
        var result: [Block] = []
        for block in blocks.sorted(by: { $0.old < $1.old }) {
            if let last = result.last, last.old + last.count == block.old, last.new + last.count == block.new {
                result[result.count - 1].count += block.count
            } else {
                result.append(block)
            }
        }
        return result
    }
}
