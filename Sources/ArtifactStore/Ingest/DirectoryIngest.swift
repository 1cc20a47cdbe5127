import Glibc
import Synchronization

/// What a walk has found so far.
struct IngestTotals: Sendable {
    var files = 0
    var bytes: Int64 = 0
}

/// Walks a directory, storing files side by side and building trees from the leaves up. One directory's entries at a time
/// are in memory on each path from the root, encoded where they are many, not the whole walk.
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

    /// So many entries of a directory are stored side by side and values at a time; those of a larger one are encoded.
    private static let batchEntries = 4096

    private func directory(_ descriptor: Descriptor, path: String) throws -> DirectoryContent {
        let names = try PackedNames(in: descriptor.value, path: path)
        if names.count <= Self.batchEntries {
            return try TreeBuilder.store(try entries(names, 0..<names.count, in: descriptor, path: path), session)
        }
        var packed = PackedEntries()
        for start in stride(from: 0, to: names.count, by: Self.batchEntries) {
            let batch = start..<min(start + Self.batchEntries, names.count)
            for entry in try entries(names, batch, in: descriptor, path: path) { packed.append(entry) }
        }
        return try TreeBuilder.store(packed, session)
    }

    private func entries(_ names: PackedNames, _ batch: Range<Int>, in descriptor: Descriptor, path: String) throws
        -> [TreeEntry]
    {
        let entries = Mutex([TreeEntry?](repeating: nil, count: batch.count))
        try session.pool.forEach(batch.count) { [self] index in
            let entry = try entry(names[batch.lowerBound + index], in: descriptor, path: path)
            entries.withLock { $0[index] = entry }
        }
        return entries.withLock { $0.compactMap { $0 } }
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
}
