/// The result of a comparison.
public struct DiffReport: Sendable, Hashable, Codable {
    /// The version of this structure's JSON form; raised when the meaning of a field changes.
    public static let currentFormat = 1

    /// Counts over all changes.
    public struct Summary: Sendable, Hashable, Codable {
        /// Paths by what happened to them.
        public var added = 0
        /// Removed paths.
        public var removed = 0
        /// Paths whose content changed in substance.
        public var changed = 0
        /// Paths whose only difference is noise.
        public var noiseOnly = 0
        /// Paths whose permissions alone changed.
        public var modeChanged = 0
        /// Paths that became another kind of thing.
        public var kindChanged = 0
        /// Paths that moved.
        public var renamed = 0
        /// How many paths differ in each class of noise only, by the class's name.
        public var noise: [String: Int] = [:]
        /// Paths compared and found equal one by one.
        public var identical = 0
        /// Directories passed over because their ids are equal.
        public var prunedDirectories = 0
        /// Bytes of added files and growth, minus removed files and shrinkage.
        public var sizeDelta: Int64 = 0
    }

    /// A directory most of whose files moved to another place.
    public struct DirectoryRename: Sendable, Hashable, Codable {
        /// Where the files were.
        public var from: String
        /// Where they are.
        public var to: String
        /// How many of them.
        public var files: Int
    }

    /// `currentFormat` of the maker.
    public var format = DiffReport.currentFormat
    /// What the caller called the old tree.
    public var old: String
    /// What the caller called the new tree.
    public var new: String
    /// The differences, in order of path.
    public var changes: [Change]
    /// Directories that moved as a whole.
    public var directoryRenames: [DirectoryRename]
    /// Counts.
    public var summary: Summary
    /// Limits that were reached, in sentences; empty when everything was compared as asked.
    public var notices: [String]

    /// Whether the trees are equal.
    public var isEqual: Bool { changes.isEmpty }

    /// Whether something differs that is not noise.
    public var hasSemanticChanges: Bool { changes.contains { !$0.isNoise } }

    /// 0 for equal, 1 for different. With `ignoringNoise`, trees that differ in noise only count as equal.
    public func exitCode(ignoringNoise: Bool = false) -> Int32 {
        (ignoringNoise ? hasSemanticChanges : !isEqual) ? 1 : 0
    }

    init(
        old: String, new: String, changes: [Change], directoryRenames: [DirectoryRename], identical: Int,
        prunedDirectories: Int, notices: [String]
    ) {
        self.old = old
        self.new = new
        self.changes = changes
        self.directoryRenames = directoryRenames
        self.notices = notices
        summary = Summary()
        summary.identical = identical
        summary.prunedDirectories = prunedDirectories
        for change in changes { summary.count(change) }
    }
}

extension DiffReport.Summary {
    mutating func count(_ change: Change) {
        sizeDelta += change.sizeDelta
        switch change.status {
        case .added: added += 1
        case .removed: removed += 1
        case .modeChanged: modeChanged += 1
        case .kindChanged: kindChanged += 1
        case .renamed: renamed += 1
        case .changed where change.isNoise:
            noiseOnly += 1
            for kind in change.classes { noise[kind.rawValue, default: 0] += 1 }
        case .changed: changed += 1
        }
    }
}
