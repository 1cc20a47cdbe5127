/// What to compare and how much work to spend on it.
public struct DiffOptions: Sendable {
    /// How far to look into files.
    public enum Detail: String, Sendable, CaseIterable {
        /// Paths, ids, sizes and modes; no content is read.
        case names
        /// Content is compared and classified, with counts but without lines.
        case classes
        /// Hunks of text.
        case lines
        /// Hunks and whole contents of binary, added and removed files, as a patch needs them.
        case patch
    }

    /// How far to look into files.
    public var detail = Detail.classes
    /// Find moved files.
    public var findsRenames = true
    /// Least share of equal content, in percent, for a file to count as moved.
    public var similarityThreshold = 50
    /// Most pairs of removed and added files considered for similarity; exact moves are found regardless.
    public var similarityPairs = 100_000
    /// Most bytes of one file that are read into memory; larger files are compared by id only.
    public var fileBytes = 64 << 20
    /// Most bytes that an archive within an artifact may expand to.
    public var expandedBytes = 256 << 20
    /// How deep archives within archives are opened.
    public var archiveDepth = 4
    /// Most bytes of hunks and literal contents in one report; what comes later is given in counts only.
    public var outputBytes = 64 << 20
    /// Lines of context around changed lines.
    public var contextLines = 3
    /// Most steps of the exact text algorithm for one file, in comparisons of lines.
    public var textSteps = 20_000_000
    /// Time for the whole comparison, nil for no limit; what remains is then given in names only.
    public var timeLimit: Duration?
    /// Files compared at the same time.
    public var concurrency = 2
    /// Which paths to compare.
    public var filter = PathFilter()
    /// The clock that `timeLimit` is measured with.
    public var now: @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }

    /// Defaults.
    public init(detail: Detail = .classes) { self.detail = detail }
}

/// Chooses paths before any work is done on them.
///
/// Patterns match whole paths: `*` any bytes but `/`, `**` any bytes, `?` one byte but `/`. A pattern without `/` matches
/// the last component alone, one that ends in `/` everything below a directory.
public struct PathFilter: Sendable, Hashable {
    private var included: [[UInt8]] = []
    private var excluded: [[UInt8]] = []

    /// Accepts paths that match one of `including` (all when empty) and none of `excluding`.
    public init(including: [String] = [], excluding: [String] = []) {
        included = including.map { Array($0.utf8) }
        excluded = excluding.map { Array($0.utf8) }
    }

    /// Whether every path is accepted.
    public var acceptsAll: Bool { included.isEmpty && excluded.isEmpty }

    /// Whether a path is to be compared.
    public func accepts(_ path: [UInt8]) -> Bool {
        (included.isEmpty || included.contains { Self.matches($0, path) })
            && !excluded.contains { Self.matches($0, path) }
    }

    private static let slash = UInt8(ascii: "/")

    private static func matches(_ pattern: [UInt8], _ path: [UInt8]) -> Bool {
        if pattern.last == slash { return path.starts(with: pattern) }
        if pattern.contains(slash) { return glob(pattern, path[...]) }
        let name = path.lastIndex(of: slash).map { path[($0 + 1)...] } ?? path[...]
        return glob(pattern, name)
    }

    /// Glob matching in time proportional to the product of the lengths, whatever the pattern.
    private static func glob(_ pattern: [UInt8], _ text: ArraySlice<UInt8>) -> Bool {
        // reachable[p]: the pattern's first p bytes match the text so far.
        var reachable = [Bool](repeating: false, count: pattern.count + 1)
        reachable[0] = true
        func skipStars() {
            for p in pattern.indices where pattern[p] == star && reachable[p] { reachable[p + 1] = true }
        }
        skipStars()
        for byte in text {
            var next = [Bool](repeating: false, count: pattern.count + 1)
            for p in pattern.indices where reachable[p] {
                switch pattern[p] {
                case star:
                    // A double star crosses directories; either of its two bytes does.
                    let isDouble =
                        (p + 1 < pattern.count && pattern[p + 1] == star) || (p > 0 && pattern[p - 1] == star)
                    if byte != slash || isDouble { next[p] = true }
                case UInt8(ascii: "?"): if byte != slash { next[p + 1] = true }
                default: if pattern[p] == byte { next[p + 1] = true }
                }
            }
            reachable = next
            skipStars()
        }
        return reachable[pattern.count]
    }

    private static let star = UInt8(ascii: "*")
}
