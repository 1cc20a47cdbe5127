import Cryptography
import Glibc

/// Walks two trees at once and sorts what differs into lists, reading no content.
struct TreeWalk {
    let old: any TreeSource
    let new: any TreeSource
    let filter: PathFilter

    private(set) var removed: [PathNode] = []
    private(set) var added: [PathNode] = []
    /// Same path and kind, known to differ in content.
    private(set) var differing: [Pair] = []
    /// Same path, size and checksum, without ids that would prove equality.
    private(set) var unproven: [Pair] = []
    /// Equal content, other permissions.
    private(set) var modes: [Pair] = []
    /// Same path, another kind of thing.
    private(set) var kinds: [Pair] = []
    private(set) var identical = 0
    private(set) var prunedDirectories = 0

    /// What a limit left open, in sentences.
    var notices: [String] {
        unproven.isEmpty ? [] : ["\(unproven.count) files of equal size were not read before the time limit"]
    }

    /// The two states of one path.
    struct Pair: Sendable, Hashable {
        var old: PathNode
        var new: PathNode
    }

    init(old: any TreeSource, new: any TreeSource, filter: PathFilter) {
        self.old = old
        self.new = new
        self.filter = filter
    }

    /// Walks from the roots.
    mutating func run() async throws {
        var pending: [[UInt8]] = [[]]
        while let directory = pending.popLast() {
            try Task.checkCancellation()
            async let oldChildren = old.children(of: directory)
            async let newChildren = new.children(of: directory)
            let left = Self.sorted(try await oldChildren)
            let right = Self.sorted(try await newChildren)
            var l = 0
            var r = 0
            while l < left.count || r < right.count {
                let order = Self.order(l < left.count ? left[l] : nil, r < right.count ? right[r] : nil)
                if order < 0 {
                    try await collect(left[l], in: directory, of: old, into: \.removed)
                    l += 1
                } else if order > 0 {
                    try await collect(right[r], in: directory, of: new, into: \.added)
                    r += 1
                } else {
                    if let next = try await compare(left[l], right[r], in: directory) { pending.append(next) }
                    l += 1
                    r += 1
                }
            }
        }
    }

    /// Compares two entries of the same name; returns a directory that is to be walked.
    private mutating func compare(
        _ left: TreeNode, _ right: TreeNode, in directory: [UInt8]
    ) async throws -> [UInt8]? {
        let sameMode = left.mode == nil || right.mode == nil || left.mode == right.mode
        if filter.acceptsAll, sameMode, left.kind == right.kind, let id = left.digest, id == right.digest {
            // The common case, without so much as a path.
            if left.kind == .directory { prunedDirectories += 1 } else { identical += 1 }
            return nil
        }
        let path = Self.join(directory, left.name)
        let pair = Pair(old: PathNode(path: path, node: left), new: PathNode(path: path, node: right))
        guard left.kind == right.kind else {
            if filter.accepts(path) { kinds.append(pair) }
            if left.kind == .directory { try await collectChildren(of: path, of: old, into: \.removed) }
            if right.kind == .directory { try await collectChildren(of: path, of: new, into: \.added) }
            return nil
        }
        if left.kind == .directory {
            if !sameMode, filter.accepts(path) { modes.append(pair) }
            guard let id = left.digest, id == right.digest else { return path }
            prunedDirectories += 1
            return nil
        }
        guard filter.accepts(path) else { return nil }
        switch Self.equality(left, right) {
        case .some(false): differing.append(pair)
        case .none: unproven.append(pair)
        case .some(true): if sameMode { identical += 1 } else { modes.append(pair) }
        }
        return nil
    }

    /// Whether two files or links are equal; nil where only their content can tell.
    static func equality(_ left: TreeNode, _ right: TreeNode) -> Bool? {
        if left.kind == .symlink { return left.linkTarget == right.linkTarget }
        if let digest = left.digest, let other = right.digest { return digest == other }
        if left.size != right.size { return false }
        if let crc = left.crc32, let other = right.crc32, crc != other { return false }
        return nil
    }

    /// Notes an entry that one tree has alone; directories by what is in them, empty ones by themselves.
    private mutating func collect(
        _ node: TreeNode, in directory: [UInt8], of source: any TreeSource,
        into list: WritableKeyPath<TreeWalk, [PathNode]>
    ) async throws {
        // A stack instead of recursion: nesting is the input's choice.
        var pending = [PathNode(path: Self.join(directory, node.name), node: node)]
        while let next = pending.popLast() {
            try Task.checkCancellation()
            if next.node.kind == .directory {
                let children = try await source.children(of: next.path)
                pending += children.map { PathNode(path: Self.join(next.path, $0.name), node: $0) }
                if !children.isEmpty { continue }
            }
            if filter.accepts(next.path) { self[keyPath: list].append(next) }
        }
    }

    /// Notes everything below a directory that is no directory on the other side.
    private mutating func collectChildren(
        of directory: [UInt8], of source: any TreeSource, into list: WritableKeyPath<TreeWalk, [PathNode]>
    ) async throws {
        for child in try await source.children(of: directory) {
            try await collect(child, in: directory, of: source, into: list)
        }
    }

    /// In order of name; most sources deliver that already.
    private static func sorted(_ nodes: [TreeNode]) -> [TreeNode] {
        for index in nodes.indices.dropFirst() where compare(nodes[index - 1].name, nodes[index].name) >= 0 {
            return nodes.sorted { compare($0.name, $1.name) < 0 }
        }
        return nodes
    }

    /// Bytewise order of two names: negative, zero or positive.
    private static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let order = left.withUnsafeBytes { left in
            right.withUnsafeBytes { right -> Int32 in
                guard let a = left.baseAddress, let b = right.baseAddress else { return 0 }
                return memcmp(a, b, min(left.count, right.count))
            }
        }
        return order != 0 ? Int(order) : left.count - right.count
    }

    private static func order(_ left: TreeNode?, _ right: TreeNode?) -> Int {
        guard let left else { return 1 }
        guard let right else { return -1 }
        return compare(left.name, right.name)
    }

    private static func join(_ directory: [UInt8], _ name: [UInt8]) -> [UInt8] {
        directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
    }
}

extension TreeWalk {
    /// Settles by digest what names, sizes and checksums left open: unproven pairs, and files of one side that look like
    /// files of the other.
    ///
    /// Pairs that are not reached before the deadline stay in `unproven`.
    mutating func prove(deadline: ContinuousClock.Instant?, now: @Sendable () -> ContinuousClock.Instant) async throws {
        while let pair = unproven.last {
            try Task.checkCancellation()
            if let deadline, now() >= deadline { return }
            unproven.removeLast()
            let left = try await Self.digest(pair.old, in: old)
            let right = try await Self.digest(pair.new, in: new)
            let (oldMode, newMode) = (pair.old.node.mode, pair.new.node.mode)
            if left != right {
                differing.append(pair)
            } else if oldMode != nil, newMode != nil, oldMode != newMode {
                modes.append(pair)
            } else {
                identical += 1
            }
        }
        let shared = Set(removed.map(\.node.size)).intersection(added.map(\.node.size))
        try await Self.identify(&removed, in: old, sizes: shared, deadline: deadline, now: now)
        try await Self.identify(&added, in: new, sizes: shared, deadline: deadline, now: now)
    }

    /// Computes the digests of files that may have a partner of equal size on the other side.
    private static func identify(
        _ entries: inout [PathNode], in source: any TreeSource, sizes: Set<Int64>, deadline: ContinuousClock.Instant?,
        now: @Sendable () -> ContinuousClock.Instant
    ) async throws {
        for index in entries.indices where lacksDigest(entries[index]) && sizes.contains(entries[index].node.size) {
            if let deadline, now() >= deadline { return }
            entries[index].node.digest = try await source.digest(of: entries[index].path)
        }
    }

    private static func lacksDigest(_ entry: PathNode) -> Bool {
        entry.node.kind == .file && entry.node.digest == nil && entry.node.size > 0
    }

    private static func digest(_ entry: PathNode, in source: any TreeSource) async throws -> SHA256Digest {
        if let digest = entry.node.digest { return digest }
        return try await source.digest(of: entry.path)
    }
}
