import Compression

/// Compares two archives member by member.
struct ArchiveComparer {
    let old: ArchiveListing
    let new: ArchiveListing
    /// Compares the content of members.
    let contents: ContentComparer
    let depth: Int

    private var classes: Set<ChangeClass> = []
    private var changes: [Change] = []
    private var notices: [String] = []
    private var identical = 0

    /// A path and, for tars that repeat names, which occurrence of it.
    private struct Key: Hashable {
        var path: [UInt8]
        var occurrence: Int
    }

    init(old: ArchiveListing, new: ArchiveListing, contents: ContentComparer, depth: Int) {
        self.old = old
        self.new = new
        self.contents = contents
        self.depth = depth
    }

    /// Compares archives whose bytes are known to differ.
    mutating func run() throws -> ContentComparison {
        let oldKeys = Self.keys(old.members)
        let newKeys = Self.keys(new.members)
        let newIndex = Dictionary(newKeys.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let oldIndex = Dictionary(oldKeys.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var pairs: [(ArchiveListing.Member, ArchiveListing.Member)] = []
        var removed: [ArchiveListing.Member] = []
        for (index, key) in oldKeys.enumerated() {
            if let partner = newIndex[key] {
                pairs.append((old.members[index], new.members[partner]))
            } else {
                removed.append(old.members[index])
            }
        }
        let added = newKeys.indices.filter { oldIndex[newKeys[$0]] == nil }.map { new.members[$0] }
        let commonOrder = newKeys.filter { oldIndex[$0] != nil }
        if commonOrder != oldKeys.filter({ newIndex[$0] != nil }) { classes.insert(.entryOrder) }

        var differing: [(ArchiveListing.Member, ArchiveListing.Member)] = []
        for (left, right) in pairs {
            if left.modified != right.modified { classes.insert(.archiveTimes) }
            if try isEqual(left, right) { identical += 1 } else { differing.append((left, right)) }
        }
        let context = ContentComparer.Context(
            changedPaths: Set(differing.map(\.0.path)).union(removed.map(\.path)).union(added.map(\.path)))
        for (left, right) in differing { try compare(left, right, context) }
        try note(removed: removed, added: added)
        return result()
    }

    private static func keys(_ members: [ArchiveListing.Member]) -> [Key] {
        var seen: [[UInt8]: Int] = [:]
        return members.map { member in
            let occurrence = seen[member.path, default: 0]
            seen[member.path] = occurrence + 1
            return Key(path: member.path, occurrence: occurrence)
        }
    }

    /// Whether two members of one name are equal; notes other compression and other modes.
    private mutating func isEqual(_ left: ArchiveListing.Member, _ right: ArchiveListing.Member) throws -> Bool {
        guard left.kind == right.kind, left.size == right.size, left.linkTarget == right.linkTarget else {
            return false
        }
        let isEqual: Bool
        if left.kind != .file || old.stored(left).elementsEqual(new.stored(right)) {
            // Equal stored bytes with different checksums would be damage on one side; reading will tell.
            isEqual = left.crc32 == right.crc32
        } else if left.crc32 != right.crc32 || left.crc32 == nil {
            isEqual = false
        } else {
            isEqual = try old.content(of: left) == new.content(of: right)
            if isEqual { classes.insert(.compression) }
        }
        if isEqual, left.mode != right.mode {
            changes.append(
                Change(
                    path: Self.name(right), status: .modeChanged, old: left.side, new: right.side, classes: [.mode]))
        }
        return isEqual
    }

    private mutating func compare(
        _ left: ArchiveListing.Member, _ right: ArchiveListing.Member, _ context: ContentComparer.Context
    ) throws {
        guard left.kind == right.kind else {
            changes.append(
                Change(
                    path: Self.name(right), status: .kindChanged, old: left.side, new: right.side,
                    classes: [.content]))
            return
        }
        var change = Change(
            path: Self.name(right), status: .changed, old: left.side, new: right.side, classes: [.content])
        if left.kind == .file {
            let comparison = contents.compare(
                old: try old.content(of: left), new: try new.content(of: right), path: right.path, context: context,
                depth: depth)
            change.classes = comparison.classes.sorted()
            change.content = comparison.content
            notices += comparison.notices.map { "\(Self.name(right)): \($0)" }
        }
        if left.mode != right.mode { change.classes = (change.classes + [.mode]).sorted() }
        changes.append(change)
    }

    /// Members of one side only; those with equal content count as moved.
    private mutating func note(removed: [ArchiveListing.Member], added: [ArchiveListing.Member]) throws {
        var candidates: [MemberIdentity: [Int]] = [:]
        for (index, member) in removed.enumerated() {
            if let identity = try identity(of: member, in: old) { candidates[identity, default: []].append(index) }
        }
        var moved = Set<Int>()
        for member in added {
            let partner = try identity(of: member, in: new).flatMap { identity in
                try candidates[identity]?.first {
                    try !moved.contains($0) && old.content(of: removed[$0]) == new.content(of: member)
                }
            }
            if let partner {
                moved.insert(partner)
                changes.append(
                    Change(
                        path: Self.name(member), oldPath: Self.name(removed[partner]), status: .renamed,
                        old: removed[partner].side, new: member.side, similarity: 100, classes: []))
            } else {
                changes.append(
                    Change(path: Self.name(member), status: .added, old: nil, new: member.side, classes: [.content]))
            }
        }
        for (index, member) in removed.enumerated() where !moved.contains(index) {
            changes.append(
                Change(path: Self.name(member), status: .removed, old: member.side, new: nil, classes: [.content]))
        }
    }

    private struct MemberIdentity: Hashable {
        var crc32: UInt32
        var size: Int64
    }

    private func identity(of member: ArchiveListing.Member, in listing: ArchiveListing) throws -> MemberIdentity? {
        guard member.kind == .file, member.size > 0 else { return nil }
        let crc = try member.crc32 ?? CRC32.checksum(listing.content(of: member))
        return MemberIdentity(crc32: crc, size: member.size)
    }

    private func result() -> ContentComparison {
        var classes = classes
        for change in changes {
            switch change.status {
            case .changed, .modeChanged: classes.formUnion(change.classes)
            default: classes.insert(.content)
            }
        }
        // The bytes differ, and nothing that is looked at does.
        if classes.isEmpty { classes.insert(.archiveMetadata) }
        let sorted = changes.sorted { $0.path < $1.path }
        return ContentComparison(
            classes: classes,
            content: .archive(
                ArchiveDiff(
                    formats: [new.format], identicalMembers: identical, changes: sorted, notices: notices)),
            notices: [])
    }

    private static func name(_ member: ArchiveListing.Member) -> String { String(decoding: member.path, as: UTF8.self) }
}
