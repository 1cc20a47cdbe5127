import Cryptography

/// The directories of a tree that is given entry by entry, in any order.
///
/// A directory has ended, it seems, when entries go on elsewhere. Once what is held exceeds a limit, directories that ended
/// are stored and only their capabilities kept, so memory follows the directories under way and not the tree. One that gets
/// another entry after all is read again, and then the limit doubles: an order that jumps about takes more memory instead of
/// storing directories again and again.
struct GrowingTree: Sendable {
    private var root = Node()
    /// The directory that was added to last.
    private var latest: [[UInt8]] = []
    private(set) var byteCount = 0
    private var limit: Int
    private(set) var files = 0
    private(set) var bytes: Int64 = 0

    private struct Node: Sendable {
        var mode: UInt32 = 0o755
        /// Files, symlinks, and directories that have ended.
        var entries = PackedEntries()
        /// Directories that are held.
        var directories: [[UInt8]: Node] = [:]
        /// The numbers of directories that have ended, among the entries.
        var ended: [[UInt8]: Int] = [:]

        /// About what it takes, with all below it.
        var byteCount: Int { directories.values.reduce(entries.byteCount + 256) { $0 + $1.byteCount } }
    }

    /// So many files stay values.
    private static let looseMaximum = 64

    init(limit: Int) { self.limit = limit }

    /// Whether directories that ended should be stored.
    var isFull: Bool { byteCount > limit }

    /// Adds a file or symlink.
    mutating func add(_ names: [[UInt8]], mode: UInt32, _ content: TreeEntry.Content, _ session: IngestSession) throws {
        guard let name = names.last else { throw StoreError.invalid("a file needs a name") }
        let entry = TreeEntry(name: name, mode: mode, content: content)
        let isLoose = files < Self.looseMaximum
        try change(names.dropLast(), session) { $0.entries.append(entry, loosely: isLoose) }
        files += 1
        if case .file(let file) = content { bytes += file.byteCount }
    }

    /// Adds a directory, or gives one that is there its mode.
    mutating func addDirectory(_ names: [[UInt8]], mode: UInt32, _ session: IngestSession) throws {
        try change(names[...], session) { $0.mode = mode }
    }

    private mutating func change(_ path: ArraySlice<[UInt8]>, _ session: IngestSession, _ body: (inout Node) -> Void)
        throws
    {
        let (grown, reopened) = try Self.change(path, in: &root, session, body)
        byteCount += grown
        if reopened { limit *= 2 }
        if !latest.elementsEqual(path) { latest = Array(path) }
    }

    /// Changes the node at a path. Returns by how much it grew, and whether a directory was read again for it.
    private static func change(
        _ path: ArraySlice<[UInt8]>, in node: inout Node, _ session: IngestSession, _ body: (inout Node) -> Void
    ) throws -> (grown: Int, reopened: Bool) {
        guard let name = path.first else {
            let before = node.entries.byteCount
            body(&node)
            return (node.entries.byteCount - before, false)
        }
        var grown = 0
        var reopened = false
        if node.directories[name] == nil {
            let child = try node.ended[name].map { try reopen(node.entries.entry($0), session) } ?? Node()
            if let number = node.ended.removeValue(forKey: name) {
                node.entries.remove(number)
                reopened = true
            }
            grown += child.byteCount
            node.directories[name] = child
        }
        let below = try change(path.dropFirst(), in: &node.directories[name, default: Node()], session, body)
        return (grown + below.grown, reopened || below.reopened)
    }

    private static func reopen(_ entry: TreeEntry, _ session: IngestSession) throws -> Node {
        var node = Node()
        node.mode = entry.mode
        guard case .directory(let directory) = entry.content else { return node }
        let context = ReadContext(
            reader: RecordReader(packs: session.packs, workers: session.workers, cacheBytes: 0), pool: session.pool,
            domain: session.domain.records, session: session, subject: "the content")
        for child in try context.guarding({ try context.entries(directory) }) {
            let number = node.entries.append(child)
            if case .directory = child.content { node.ended[child.name] = number }
        }
        return node
    }

    /// Stores the directories that have ended. Blocks. When this fails nothing is lost, and it can be done again.
    mutating func storeEnded(_ session: IngestSession) throws {
        try Self.storeEnded(&root, beside: latest[...], session)
        byteCount = root.byteCount
        // Of what is under way alone there is nothing to store.
        limit = max(limit, byteCount * 2)
    }

    private static func storeEnded(_ node: inout Node, beside path: ArraySlice<[UInt8]>, _ session: IngestSession)
        throws
    {
        for name in node.directories.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) where name != path.first {
            guard let child = node.directories[name] else { continue }
            let content = try TreeBuilder.store(try entries(child, session), session)
            node.ended[name] = node.entries.append(
                TreeEntry(name: name, mode: child.mode, content: .directory(content)))
            node.directories[name] = nil
        }
        guard let name = path.first, node.directories[name] != nil else { return }
        try storeEnded(&node.directories[name, default: Node()], beside: path.dropFirst(), session)
    }

    /// The entries of the whole, all directories below stored. Blocks. Throws `StoreError` when a name appears twice.
    func entries(_ session: IngestSession) throws -> PackedEntries { try Self.entries(root, session) }

    private static func entries(_ node: Node, _ session: IngestSession) throws -> PackedEntries {
        var entries = node.entries
        // In order, so that the same tree makes the same records in the same order.
        for name in node.directories.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let child = node.directories[name] else { continue }
            let content = try TreeBuilder.store(try self.entries(child, session), session)
            entries.append(TreeEntry(name: name, mode: child.mode, content: .directory(content)))
        }
        return entries
    }
}
