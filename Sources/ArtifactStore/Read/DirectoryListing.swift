import Cryptography

/// The entries of one directory in the order of their names: values while they are few, else encoded.
struct DirectoryListing: Sendable {
    private var loose: [TreeEntry]
    private var packed = PackedEntries()
    /// The numbers of the encoded ones in order.
    private var order: [UInt32] = []

    /// More entries than this are kept encoded.
    static let looseMaximum = 4096

    /// Entries that are in order.
    init(_ entries: [TreeEntry]) { loose = entries }

    /// Puts entries of which no name appears twice in order.
    fileprivate init(_ parts: Parts) throws {
        loose = parts.loose
        packed = parts.packed
        if packed.count == 0 {
            loose.sort { $0.name.lexicographicallyPrecedes($1.name) }
        } else {
            order = try packed.sorted()
        }
    }

    var count: Int { loose.count + order.count }

    func entry(_ index: Int) throws -> TreeEntry {
        order.isEmpty ? loose[index] : try packed.entry(Int(order[index]))
    }

    /// The position of the entry of a name.
    func position(of name: some Collection<UInt8>) throws -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if try entry(middle).name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return try low < count && entry(low).name.elementsEqual(name) ? low : nil
    }

    /// What has been gathered of a split directory, in no order.
    fileprivate struct Parts {
        var loose: [TreeEntry] = []
        var packed = PackedEntries()

        mutating func add(_ entries: [TreeEntry]) {
            if packed.count == 0, loose.count + entries.count <= DirectoryListing.looseMaximum {
                loose += entries
                return
            }
            for entry in loose + entries { packed.append(entry) }
            loose = []
        }
    }
}

extension ReadContext {
    /// The entries of a directory in order, few of them decoded where they are many.
    func listing(_ directory: DirectoryContent) throws -> DirectoryListing {
        switch try tree(directory) {
        case .entries(let entries): return DirectoryListing(entries)
        case .split(let parts):
            var gathered = DirectoryListing.Parts()
            for case let part? in parts { try gather(part, into: &gathered) }
            let listing = try DirectoryListing(gathered)
            var treeID = TreeIDHash()
            for index in 0..<listing.count { treeID.add(try listing.entry(index)) }
            guard treeID.finish() == directory.treeID else {
                throw FormatError("a directory is not the one it should be")
            }
            return listing
        }
    }

    private func gather(_ directory: DirectoryContent, into gathered: inout DirectoryListing.Parts) throws {
        switch try tree(directory) {
        case .entries(let entries): gathered.add(entries)
        case .split(let parts): for case let part? in parts { try gather(part, into: &gathered) }
        }
    }
}

/// Walks a tree in the order of its paths, each directory before what it holds. In memory are the entries of one directory
/// on each level.
struct TreeCursor {
    private let context: ReadContext
    /// From the root, which stays.
    private var levels: [Level]
    /// The directory that was given last, unless it was entered.
    private var pending: (path: [UInt8], content: DirectoryContent)?

    private struct Level {
        var listing: DirectoryListing
        var next = 0
        /// What the names in it are appended to.
        var prefix: [UInt8] = []
    }

    /// - Parameter root: the entries of the root, which need not be listed again.
    init(_ context: ReadContext, _ root: DirectoryListing) {
        self.context = context
        levels = [Level(listing: root)]
    }

    /// The next entry with its path; nil after the last one.
    mutating func next() throws -> (path: [UInt8], entry: TreeEntry)? {
        if let (path, content) = pending {
            pending = nil
            levels.append(Level(listing: try context.listing(content), prefix: path + [0x2F]))
        }
        while levels[levels.count - 1].next == levels[levels.count - 1].listing.count {
            guard levels.count > 1 else { return nil }
            levels.removeLast()
        }
        let last = levels.count - 1
        let entry = try levels[last].listing.entry(levels[last].next)
        levels[last].next += 1
        let path = levels[last].prefix.isEmpty ? entry.name : levels[last].prefix + entry.name
        if case .directory(let content) = entry.content { pending = (path, content) }
        return (path, entry)
    }

    /// Has ``next()`` give the entry of a path next, and go on from there. Reads the directories on the way only.
    mutating func seek(_ path: [UInt8]) throws {
        levels.removeSubrange(1...)
        pending = nil
        let names = path.split(separator: 0x2F)
        for (depth, name) in names.enumerated() {
            guard let position = try levels[depth].listing.position(of: name) else { throw Self.missing }
            levels[depth].next = position
            if depth == names.count - 1 { return }
            guard let (path, entry) = try next(), case .directory(let content) = entry.content else {
                throw Self.missing
            }
            pending = nil
            levels.append(Level(listing: try context.listing(content), prefix: path + [0x2F]))
        }
    }

    private static let missing = FormatError("a directory is not the one it was")
}
