import Cryptography

/// Compares two trees: names and ids first, content only where they differ.
///
/// Work follows the differences: equal ids prune whole directories, filters apply before anything is read, and every
/// budget that cuts the comparison short is named in the report's notices.
public struct ArtifactDiffer: Sendable {
    private let options: DiffOptions

    /// A differ with options.
    public init(options: DiffOptions = DiffOptions()) { self.options = options }

    /// Compares two trees.
    ///
    /// - Parameters:
    ///   - oldName: what the report calls the old tree, such as `app@412`.
    ///   - newName: what the report calls the new tree.
    /// - Throws: whatever the trees throw while they are listed; content that cannot be read becomes part of the report.
    public static func compare(
        old: any TreeSource, new: any TreeSource, oldName: String = "old", newName: String = "new",
        options: DiffOptions = DiffOptions()
    ) async throws -> DiffReport {
        try await ArtifactDiffer(options: options).compare(old: old, new: new, oldName: oldName, newName: newName)
    }

    /// Compares two trees; see the static method.
    public func compare(
        old: any TreeSource, new: any TreeSource, oldName: String = "old", newName: String = "new"
    ) async throws -> DiffReport {
        let deadline = options.timeLimit.map { options.now() + $0 }
        var walk = TreeWalk(old: old, new: new, filter: options.filter)
        try await walk.run()
        try await walk.prove(deadline: deadline, now: options.now)
        let renames = try await findRenames(walk, deadline: deadline)

        var drafts = walk.differing.map { Draft($0, .changed, [.content]) }
        drafts += walk.unproven.map { pair in
            // Neither equal nor different: said, not guessed.
            var draft = Draft(pair, .changed, [])
            draft.change.content = .omitted(reason: "the time limit was reached before it was known to be equal")
            return draft
        }
        drafts += walk.modes.map { Draft($0, .modeChanged, [.mode]) }
        drafts += walk.kinds.map { Draft($0, .kindChanged, [.content]) }
        drafts += renames.matches.map(Draft.init(renamed:))
        drafts += renames.removed.map { Draft(old: $0, new: nil, .removed, [.content]) }
        drafts += renames.added.map { Draft(old: nil, new: $0, .added, [.content]) }
        drafts.sort { $0.path.lexicographicallyPrecedes($1.path) }

        var changed = Set(drafts.map(\.path))
        for match in renames.matches { changed.insert(match.old.path) }
        let filler = ContentFiller(
            old: old, new: new, options: options,
            comparer: ContentComparer(options: options, deadline: deadline),
            context: ContentComparer.Context(changedPaths: changed))
        let filled = try await filler.fill(drafts)
        return DiffReport(
            old: oldName, new: newName, changes: filled.changes, directoryRenames: renames.directoryRenames(),
            identical: identicalFiles(walk, drafts), prunedDirectories: walk.prunedDirectories,
            notices: walk.notices + renames.notices + filled.notices)
    }

    /// How many files and links are the same on both sides. Equal directories are pruned without being listed, so where the
    /// new tree's total is known, it is that less whatever is listed as a change.
    private func identicalFiles(_ walk: TreeWalk, _ drafts: [Draft]) -> Int {
        guard walk.prunedDirectories > 0, options.filter.acceptsAll, let total = walk.new.fileCount else {
            return walk.identical
        }
        return total - drafts.count { $0.new.map { $0.node.kind != .directory } ?? false }
    }

    private func findRenames(_ walk: TreeWalk, deadline: ContinuousClock.Instant?) async throws -> RenameFinder {
        var finder = RenameFinder(removed: walk.removed, added: walk.added, options: options)
        guard options.findsRenames, !walk.removed.isEmpty, !walk.added.isEmpty else { return finder }
        finder.matchExactly()
        if options.detail != .names {
            try await finder.matchSimilar(old: walk.old, new: walk.new, deadline: deadline)
        }
        return finder
    }
}

/// A change whose content is still to be compared.
struct Draft: Sendable {
    var change: Change
    var old: PathNode?
    var new: PathNode?

    /// Where the change is listed.
    var path: [UInt8] { new?.path ?? old?.path ?? [] }

    init(_ pair: TreeWalk.Pair, _ status: ChangeStatus, _ classes: [ChangeClass]) {
        self.init(old: pair.old, new: pair.new, status, classes)
        if status == .changed, let left = pair.old.node.mode, let right = pair.new.node.mode, left != right {
            change.classes.append(.mode)
        }
    }

    init(renamed match: RenameFinder.Match) {
        self.init(old: match.old, new: match.new, .renamed, match.similarity == 100 ? [] : [.content])
        change.oldPath = match.old.name
        change.rawOldPath = Self.rawPath(match.old.path, match.old.name)
        change.similarity = match.similarity
        if let left = match.old.node.mode, let right = match.new.node.mode, left != right {
            change.classes.append(.mode)
        }
    }

    /// The exact bytes, where the text had to be repaired.
    private static func rawPath(_ path: [UInt8], _ text: String) -> String? {
        text.utf8.elementsEqual(path) ? nil : Hex.encode(path)
    }

    init(old: PathNode?, new: PathNode?, _ status: ChangeStatus, _ classes: [ChangeClass]) {
        self.old = old
        self.new = new
        change = Change(path: "", status: status, old: old?.side, new: new?.side, classes: classes)
        let path = path
        change.path = String(decoding: path, as: UTF8.self)
        change.rawPath = Self.rawPath(path, change.path)
    }
}
