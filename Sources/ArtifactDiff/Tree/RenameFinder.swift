import Cryptography

/// Finds which removed and added files are one file that moved.
struct RenameFinder {
    /// A file that moved.
    struct Match: Sendable {
        var old: PathNode
        var new: PathNode
        /// Equal content in percent; 100 for equal ids.
        var similarity: Int
    }

    /// Files beyond this size are only matched by id.
    static let largestForSimilarity: Int64 = 8 << 20

    let options: DiffOptions
    private(set) var matches: [Match] = []
    private(set) var notices: [String] = []
    private(set) var removed: [PathNode]
    private(set) var added: [PathNode]

    init(removed: [PathNode], added: [PathNode], options: DiffOptions) {
        self.removed = removed
        self.added = added
        self.options = options
    }

    /// Joins files with equal ids. Among several candidates, one with the same name is preferred, then one in the same
    /// directory, then the first.
    mutating func matchExactly() {
        var takenOld = Set<Int>()
        var takenNew = Set<Int>()
        // Same names first, over all files, so that a copy elsewhere does not take the better partner away.
        for place in [Place.name, .directory, .anywhere] {
            var candidates: [ExactKey: [Int]] = [:]
            for (index, entry) in removed.enumerated().reversed() where !takenOld.contains(index) {
                if let key = ExactKey(entry, place) { candidates[key, default: []].append(index) }
            }
            for (index, entry) in added.enumerated() where !takenNew.contains(index) {
                guard let key = ExactKey(entry, place), let found = candidates[key]?.popLast() else { continue }
                takenOld.insert(found)
                takenNew.insert(index)
                matches.append(Match(old: removed[found], new: entry, similarity: 100))
            }
        }
        drop(takenOld, takenNew)
    }

    /// Where a partner of equal content must lie.
    private enum Place { case name, directory, anywhere }

    /// What equal files have in common; nothing for empty files, which are all equal and mean nothing.
    private struct ExactKey: Hashable {
        var digest: SHA256Digest?
        var linkTarget: [UInt8]?
        var place: [UInt8]

        init?(_ entry: PathNode, _ place: Place) {
            switch entry.node.kind {
            case .file:
                guard entry.node.size > 0, let digest = entry.node.digest else { return nil }
                self.digest = digest
            case .symlink:
                guard let target = entry.node.linkTarget else { return nil }
                linkTarget = target
            case .directory: return nil
            }
            self.place =
                switch place {
                case .name: Array(RenameFinder.name(entry.path))
                case .directory: RenameFinder.directory(entry.path)
                case .anywhere: []
                }
        }
    }

    /// Pairs of files worth reading, likeliest first: same name or same extension, comparable size.
    mutating func candidatePairs() -> [(old: Int, new: Int)] {
        func suits(_ entry: PathNode) -> Bool {
            entry.node.kind == .file && entry.node.size >= 32 && entry.node.size <= Self.largestForSimilarity
        }
        let olds = removed.indices.filter { suits(removed[$0]) }
        let byExtension = Dictionary(grouping: olds) { Self.extensionName(removed[$0].path) }
        var pairs: [(old: Int, new: Int)] = []
        var later: [(old: Int, new: Int)] = []
        var isCapped = false
        for index in added.indices where suits(added[index]) {
            let entry = added[index]
            for old in byExtension[Self.extensionName(entry.path)] ?? [] {
                let sizes = (removed[old].node.size, entry.node.size)
                guard min(sizes.0, sizes.1) * 100 >= max(sizes.0, sizes.1) * Int64(options.similarityThreshold) else {
                    continue
                }
                guard pairs.count + later.count < options.similarityPairs else {
                    isCapped = true
                    break
                }
                if Self.name(removed[old].path) == Self.name(entry.path) {
                    pairs.append((old, index))
                } else {
                    later.append((old, index))
                }
            }
        }
        if isCapped {
            notices.append("similar files were looked for among the first \(options.similarityPairs) pairs only")
        }
        return pairs + later
    }

    /// Accepts the most similar pairs. `percentages` runs parallel to `pairs`.
    mutating func accept(_ pairs: [(old: Int, new: Int)], percentages: [Int]) {
        let order = pairs.indices.sorted { left, right in
            (percentages[left], sameName(pairs[left]) ? 1 : 0, right) > (
                percentages[right], sameName(pairs[right]) ? 1 : 0, left
            )
        }
        var takenOld = Set<Int>()
        var takenNew = Set<Int>()
        for index in order where percentages[index] >= options.similarityThreshold {
            let (old, new) = pairs[index]
            guard !takenOld.contains(old), !takenNew.contains(new) else { continue }
            takenOld.insert(old)
            takenNew.insert(new)
            // 100 is reserved for equal content.
            matches.append(Match(old: removed[old], new: added[new], similarity: min(percentages[index], 99)))
        }
        drop(takenOld, takenNew)
    }

    /// Directories whose files mostly moved to one other place, with the same names.
    func directoryRenames() -> [DiffReport.DirectoryRename] {
        var counts: [[UInt8]: [[UInt8]: Int]] = [:]
        for match in matches where Self.name(match.old.path) == Self.name(match.new.path) {
            let (from, to) = (Self.directory(match.old.path), Self.directory(match.new.path))
            if from != to { counts[from, default: [:]][to, default: 0] += 1 }
        }
        let left = Dictionary(grouping: removed) { Self.directory($0.path) }.mapValues(\.count)
        return counts.compactMap { from, targets -> DiffReport.DirectoryRename? in
            let best = targets.max { ($0.value, $1.key.count) < ($1.value, $0.key.count) }
            guard let best, best.value >= 2 else { return nil }
            let total = targets.values.reduce(0, +) + (left[from] ?? 0)
            guard best.value * 2 > total else { return nil }
            return .init(
                from: String(decoding: from, as: UTF8.self), to: String(decoding: best.key, as: UTF8.self),
                files: best.value)
        }.sorted { $0.from < $1.from }
    }

    private func sameName(_ pair: (old: Int, new: Int)) -> Bool {
        Self.name(removed[pair.old].path) == Self.name(added[pair.new].path)
    }

    private mutating func drop(_ old: Set<Int>, _ new: Set<Int>) {
        removed = removed.indices.filter { !old.contains($0) }.map { removed[$0] }
        added = added.indices.filter { !new.contains($0) }.map { added[$0] }
    }

    static func name(_ path: [UInt8]) -> ArraySlice<UInt8> {
        path.lastIndex(of: UInt8(ascii: "/")).map { path[($0 + 1)...] } ?? path[...]
    }

    static func directory(_ path: [UInt8]) -> [UInt8] {
        path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[..<$0]) } ?? []
    }

    private static func extensionName(_ path: [UInt8]) -> [UInt8] {
        let name = name(path)
        return name.lastIndex(of: UInt8(ascii: ".")).map { Array(name[$0...]) } ?? []
    }
}

extension RenameFinder {
    /// Most bytes read for finding similar files.
    private static let signatureBytes: Int64 = 256 << 20

    /// Joins files whose content is mostly the same. Each candidate is read once.
    mutating func matchSimilar(
        old: any TreeSource, new: any TreeSource, deadline: ContinuousClock.Instant?
    ) async throws {
        var pairs = candidatePairs()
        guard !pairs.isEmpty else { return }
        var left: [Int: SimilaritySignature] = [:]
        var right: [Int: SimilaritySignature] = [:]
        var budget = Self.signatureBytes
        var usable = 0
        for pair in pairs {
            if let deadline, options.now() >= deadline { break }
            if left[pair.old] == nil { budget -= removed[pair.old].node.size }
            if right[pair.new] == nil { budget -= added[pair.new].node.size }
            guard budget >= 0 else { break }
            if left[pair.old] == nil { left[pair.old] = try await Self.signature(removed[pair.old], old) }
            if right[pair.new] == nil { right[pair.new] = try await Self.signature(added[pair.new], new) }
            usable += 1
        }
        if usable < pairs.count {
            notices.append("similar files were looked for among the first \(usable) of \(pairs.count) pairs only")
            pairs.removeLast(pairs.count - usable)
        }
        let (lefts, rights, chosen) = (left, right, pairs)
        let percentages = await Offload.run {
            chosen.map { pair -> Int in
                guard let one = lefts[pair.old], let two = rights[pair.new] else { return 0 }
                return one.percentage(with: two)
            }
        }
        accept(pairs, percentages: percentages)
    }

    private static func signature(_ entry: PathNode, _ source: any TreeSource) async throws -> SimilaritySignature {
        let bytes = try await source.read(entry.path)
        return await Offload.run { SimilaritySignature(bytes) }
    }
}
