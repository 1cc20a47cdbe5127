import Cryptography
import Glibc
import Synchronization

/// What a walk has found so far.
struct IngestTotals: Sendable {
    var files = 0
    var bytes: Int64 = 0
}

/// Walks a directory, storing files side by side and building trees from the leaves up. One directory's entries at a time
/// are in memory on each path from the root, not the whole walk.
final class DirectoryIngest: Sendable {
    private let session: IngestSession
    private let include: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)?
    private let totals = Mutex(IngestTotals())

    init(_ session: IngestSession, include: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)?) {
        self.session = session
        self.include = include
    }

    var counted: IngestTotals { totals.withLock { $0 } }

    func run(_ path: String) throws -> DirectoryContent {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IngestSession.failure("open directory", path) }
        return try directory(Descriptor(descriptor), path: "")
    }

    private final class Descriptor: Sendable {
        let value: Int32
        init(_ value: Int32) { self.value = value }
        deinit { close(value) }
    }

    private func directory(_ descriptor: Descriptor, path: String) throws -> DirectoryContent {
        let names = try Self.names(in: descriptor.value, path: path).sorted { $0.lexicographicallyPrecedes($1) }
        let entries = Mutex([TreeEntry?](repeating: nil, count: names.count))
        try session.pool.forEach(names.count) { [self] index in
            let entry = try entry(names[index], in: descriptor, path: path)
            entries.withLock { $0[index] = entry }
        }
        let found = entries.withLock { $0.compactMap { $0 } }
        return try TreeBuilder.store(found, session)
    }

    private func entry(_ name: [UInt8], in parent: Descriptor, path: String) throws -> TreeEntry? {
        let text = String(decoding: name, as: UTF8.self)
        let full = path.isEmpty ? text : path + "/" + text
        let cName = name.map { CChar(bitPattern: $0) } + [0]
        var status = stat()
        guard fstatat(parent.value, cName, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw IngestSession.failure("examine", full)
        }
        let mode = UInt32(status.st_mode) & 0o777
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            guard include?(full, false) ?? true else { return nil }
            let file = openat(parent.value, cName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
            guard file >= 0 else { throw IngestSession.failure("open", full) }
            defer { close(file) }
            let content = try session.ingest(descriptor: file, size: Int(status.st_size), path: full)
            totals.withLock { totals in
                totals.files += 1
                totals.bytes += content.byteCount
            }
            return TreeEntry(name: name, mode: mode, content: .file(content))
        case S_IFDIR:
            guard include?(full, true) ?? true else { return nil }
            let child = openat(parent.value, cName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard child >= 0 else { throw IngestSession.failure("open directory", full) }
            return TreeEntry(
                name: name, mode: mode, content: .directory(try directory(Descriptor(child), path: full)))
        case S_IFLNK:
            guard include?(full, false) ?? true else { return nil }
            var target = [CChar](repeating: 0, count: 4096)
            let count = readlinkat(parent.value, cName, &target, target.count)
            guard count >= 0, count < target.count else { throw IngestSession.failure("read link", full) }
            totals.withLock { $0.files += 1 }
            return TreeEntry(
                name: name, mode: 0o777, content: .symlink(target[..<count].map { UInt8(bitPattern: $0) }))
        default:
            throw StoreError.invalid("\(full) is neither file, directory nor symlink and cannot be stored")
        }
    }

    private static func names(in descriptor: Int32, path: String) throws -> [[UInt8]] {
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = fdopendir(copy) else { throw IngestSession.failure("list", path) }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw IngestSession.failure("list", path) }
        return names
    }
}

/// Makes directories of entries.
enum TreeBuilder {
    /// Directories whose stable part is larger are split, so that a change rewrites a few parts and not all names.
    private static let splitBytes = 8 << 10
    /// Fewer entries are not worth splitting.
    private static let splitEntries = 16
    /// Larger parts of a split directory are records of their own.
    private static let partInlineMaximum = 256

    /// Stores a directory; small ones come back to be kept in their parent.
    static func store(_ entries: [TreeEntry], _ session: IngestSession) throws -> DirectoryContent {
        try store(entries, session, depth: 0)
    }

    /// The same for entries that are many, of which few are decoded at a time. Throws `StoreError` when a name appears twice.
    static func store(_ entries: PackedEntries, _ session: IngestSession) throws -> DirectoryContent {
        try store(entries, try entries.sorted(), session, depth: 0)
    }

    private static func store(_ entries: PackedEntries, _ order: [UInt32], _ session: IngestSession, depth: Int) throws
        -> DirectoryContent
    {
        if order.count <= TreeObject.entriesMaximum {
            return try store(try order.map { try entries.entry(Int($0)) }, session, depth: depth)
        }
        var treeID = TreeIDHash()
        var groups = [[UInt32]](repeating: [], count: 16)
        for number in order {
            let entry = try entries.entry(Int(number))
            treeID.add(entry)
            groups[group(entry.name, depth: depth)].append(number)
        }
        let object = TreeObject.split(
            try groups.map { $0.isEmpty ? nil : try store(entries, $0, session, depth: depth + 1) })
        return try store(object, object.encode(), treeID.finish(), session, inline: -1)
    }

    /// By the next four bits of the hash of the name.
    private static func group(_ name: [UInt8], depth: Int) -> Int {
        let byte = SHA256.digest(name).withUnsafeBytes { $0[depth / 2] }
        return Int(depth % 2 == 0 ? byte >> 4 : byte & 15)
    }

    private static func store(_ entries: [TreeEntry], _ session: IngestSession, depth: Int) throws -> DirectoryContent {
        let limit = depth == 0 ? DirectoryContent.inlineMaximum : partInlineMaximum
        if entries.count <= TreeObject.entriesMaximum {
            let object = TreeObject.entries(entries)
            let parts = object.encode()
            if parts.stable.count <= splitBytes || entries.count < splitEntries {
                return try store(object, parts, TreeObject.treeID(entries), session, inline: limit)
            }
        }
        var groups = [[TreeEntry]](repeating: [], count: 16)
        for entry in entries { groups[group(entry.name, depth: depth)].append(entry) }
        let object = TreeObject.split(
            try groups.map { $0.isEmpty ? nil : try store($0, session, depth: depth + 1) })
        // Never inline: its Merkle root cannot be told from its parts' references.
        return try store(object, object.encode(), TreeObject.treeID(entries), session, inline: -1)
    }

    private static func store(
        _ object: TreeObject, _ parts: (stable: [UInt8], volatile: [UInt8]), _ treeID: SHA256Digest,
        _ session: IngestSession, inline limit: Int
    ) throws -> DirectoryContent {
        if parts.stable.count <= limit, parts.volatile.count <= DirectoryContent.inlineMaximum {
            return DirectoryContent(treeID: treeID, place: .inline(stable: parts.stable, volatile: parts.volatile))
        }
        let refs = try object.refs()
        let ref = try session.storeObject(parts.stable, kind: .tree, reach: refs.stable.map(\.id))
        if parts.volatile.count <= DirectoryContent.inlineMaximum, refs.volatile.isEmpty {
            return DirectoryContent(treeID: treeID, place: .record(ref, volatile: .inline(parts.volatile)))
        }
        let second = try session.storeObject(parts.volatile, kind: .tree, reach: refs.volatile.map(\.id))
        return DirectoryContent(treeID: treeID, place: .record(ref, volatile: .record(second)))
    }
}
