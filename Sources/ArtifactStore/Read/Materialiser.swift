import Glibc
import Synchronization

/// Writes files side by side. Every step goes through directory descriptors without following links, so no name and no
/// link, however hostile, leads outside of the target.
final class Materialiser: Sendable {
    private let version: OpenVersion
    private let updating: Bool
    private let report = Mutex(MaterialiseReport())

    init(_ version: OpenVersion, updating: Bool = false) {
        self.version = version
        self.updating = updating
    }

    private final class Descriptor: Sendable {
        let value: Int32
        init(_ value: Int32) { self.value = value }
        deinit { close(value) }
    }

    func run(_ directory: DirectoryContent, to target: String) throws -> MaterialiseReport {
        try run(try version.context.entries(directory), to: target)
    }

    func run(_ entries: [TreeEntry], to target: String) throws -> MaterialiseReport {
        guard mkdir(target, 0o755) == 0 || errno == EEXIST else { throw Self.failure("make directory", target) }
        let root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw Self.failure("open directory", target) }
        try write(entries, in: Descriptor(root), path: target)
        return report.withLock { $0 }
    }

    private func write(_ entries: [TreeEntry], in parent: Descriptor, path: String) throws {
        if updating {
            let removed = try LocalEntries.remove(from: parent.value, except: Set(entries.map(\.name)), path: path)
            report.withLock { $0.removed += removed }
        }
        try version.context.pool.forEach(entries.count) { [self] index in
            let entry = entries[index]
            let full = path + "/" + String(decoding: entry.name, as: UTF8.self)
            let name = entry.name.map { CChar(bitPattern: $0) } + [0]
            switch entry.content {
            case .file(let content): try file(content, name, mode: entry.mode, in: parent, path: full)
            case .symlink(let target): try symlink(target, name, in: parent, path: full)
            case .directory(let content): try directory(content, name, mode: entry.mode, in: parent, path: full)
            }
        }
    }

    private func symlink(_ target: [UInt8], _ name: [CChar], in parent: Descriptor, path: String) throws {
        report.withLock { $0.symlinks += 1 }
        if updating {
            if LocalEntries.target(of: name, in: parent.value) == target { return }
            try LocalEntries.remove(name, in: parent.value, path: path)
        }
        guard symlinkat(target.map { CChar(bitPattern: $0) } + [0], parent.value, name) == 0 else {
            throw Self.failure("make link", path)
        }
    }

    private func directory(
        _ content: DirectoryContent, _ name: [CChar], mode: UInt32, in parent: Descriptor, path: String
    ) throws {
        if updating, LocalEntries.kind(of: name, in: parent.value) != S_IFDIR {
            try LocalEntries.remove(name, in: parent.value, path: path)
        }
        guard mkdirat(parent.value, name, 0o700) == 0 || (updating && errno == EEXIST) else {
            throw Self.failure("make directory", path)
        }
        let child = openat(parent.value, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard child >= 0 else { throw Self.failure("open directory", path) }
        let descriptor = Descriptor(child)
        guard !updating || fchmod(child, 0o700) == 0 else { throw Self.failure("set the mode of", path) }
        try write(try version.context.entries(content), in: descriptor, path: path)
        // Last, so that read-only directories can be filled.
        guard fchmod(child, mode_t(mode)) == 0 else { throw Self.failure("set the mode of", path) }
        report.withLock { $0.directories += 1 }
    }

    private func file(_ content: FileContent, _ name: [CChar], mode: UInt32, in parent: Descriptor, path: String) throws
    {
        if updating, try LocalEntries.isFile(name, in: parent.value, content, mode: mode, path: path) {
            report.withLock { report in
                report.files += 1
                report.bytes += content.byteCount
                report.unchanged += 1
                report.unchangedBytes += content.byteCount
            }
            return
        }
        // An update replaces the old file only when the new one is complete.
        let final = name
        let name = updating ? LocalEntries.temporaryName() : name
        let file = openat(parent.value, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("create", path) }
        let descriptor = Descriptor(file)
        do {
            try fill(descriptor, with: content, mode: mode, path: path)
            if updating { try LocalEntries.replace(final, with: name, in: parent.value, path: path) }
        } catch {
            if updating { unlinkat(parent.value, name, 0) }
            throw error
        }
        report.withLock { report in
            report.files += 1
            report.bytes += content.byteCount
        }
    }

    private func fill(_ descriptor: Descriptor, with content: FileContent, mode: UInt32, path: String) throws {
        let context = version.context.naming(path)
        try context.guarding {
            // Every chunk is compared with its digest, and the list of chunks with the one that the directory names.
            let reader = ContentReader(context, content, range: 0..<content.byteCount)
            while let piece = try reader.next() { try Self.write(piece, to: descriptor.value, path: path) }
        }
        guard fchmod(descriptor.value, mode_t(mode)) == 0 else { throw Self.failure("set the mode of", path) }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
        try bytes.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let count = Glibc.write(descriptor, raw.baseAddress?.advanced(by: done), raw.count - done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw failure("write", path) }
                done += count
            }
        }
    }

    static func failure(_ verb: String, _ path: String) -> StoreError {
        let code = errno
        return StoreError(
            code == EEXIST ? .conflict : code == ENOSPC ? .full : .input,
            "cannot \(verb) \(path): \(String(cString: strerror(code)))")
    }
}
