import Archives
import Glibc
import Synchronization
public import SystemPackage

/// What was written.
public struct MaterialiseReport: Sendable, Hashable {
    /// Regular files.
    public var files = 0
    /// Directories below the target.
    public var directories = 0
    /// Symlinks.
    public var symlinks = 0
    /// Bytes of regular files.
    public var bytes: Int64 = 0
}

extension ArtifactStore {
    /// Writes a version to a directory, which is made if needed and must not hold anything of the same name: a directory
    /// as its files, a ZIP blob unpacked, any other blob as one file named `blobName`. Nothing is written outside of it.
    ///
    /// - Throws: `StoreError`; after an error the target is incomplete and the caller removes it.
    public func materialise(
        _ id: VersionID, to target: FilePath, blobName: String = "artifact"
    ) async throws -> MaterialiseReport {
        let version = try await open(id)
        switch version.root.content {
        case .tree(let directory):
            let writer = Materialiser(version)
            return try await pool.run { try version.context.guarding { try writer.run(directory, to: target.string) } }
        case .blob(let content):
            if let reader = try? await ZipReader(ContentSource(context: version.context, content: content)) {
                do {
                    let report = try await reader.extract(to: target)
                    return MaterialiseReport(
                        files: report.files, directories: report.directories, symlinks: report.links,
                        bytes: report.bytes)
                } catch let error as ArchiveError {
                    throw StoreError.invalid("\(version.context.subject) cannot be unpacked: \(error)")
                }
            }
            let entry = TreeEntry(name: Array(blobName.utf8), mode: 0o644, content: .file(content))
            guard TreeObject.isValidName(entry.name) else { throw StoreError.invalid("\(blobName) is not a file name") }
            let writer = Materialiser(version)
            return try await pool.run { try version.context.guarding { try writer.run([entry], to: target.string) } }
        }
    }
}

/// Writes files side by side. Every step goes through directory descriptors without following links, so no name and no
/// link, however hostile, leads outside of the target.
private final class Materialiser: Sendable {
    private let version: OpenVersion
    private let report = Mutex(MaterialiseReport())

    init(_ version: OpenVersion) { self.version = version }

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
        try version.context.pool.forEach(entries.count) { [self] index in
            let entry = entries[index]
            let full = path + "/" + String(decoding: entry.name, as: UTF8.self)
            let name = entry.name.map { CChar(bitPattern: $0) } + [0]
            switch entry.content {
            case .file(let content): try file(content, name, mode: entry.mode, in: parent, path: full)
            case .symlink(let target):
                guard symlinkat(target.map { CChar(bitPattern: $0) } + [0], parent.value, name) == 0 else {
                    throw Self.failure("make link", full)
                }
                report.withLock { $0.symlinks += 1 }
            case .directory(let directory):
                guard mkdirat(parent.value, name, 0o700) == 0 else { throw Self.failure("make directory", full) }
                let child = openat(parent.value, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                guard child >= 0 else { throw Self.failure("open directory", full) }
                let descriptor = Descriptor(child)
                try write(try version.context.entries(directory), in: descriptor, path: full)
                // Last, so that read-only directories can be filled.
                guard fchmod(child, mode_t(entry.mode)) == 0 else { throw Self.failure("set the mode of", full) }
                report.withLock { $0.directories += 1 }
            }
        }
    }

    private func file(_ content: FileContent, _ name: [CChar], mode: UInt32, in parent: Descriptor, path: String) throws
    {
        let file = openat(parent.value, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("create", path) }
        let descriptor = Descriptor(file)
        let context = version.context.naming(path)
        try context.guarding {
            // Every chunk is compared with its digest, and the list of chunks with the one that the directory names.
            let reader = ContentReader(context, content, range: 0..<content.byteCount)
            while let piece = try reader.next() { try Self.write(piece, to: descriptor.value, path: path) }
        }
        guard fchmod(file, mode_t(mode)) == 0 else { throw Self.failure("set the mode of", path) }
        report.withLock { report in
            report.files += 1
            report.bytes += content.byteCount
        }
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

    private static func failure(_ verb: String, _ path: String) -> StoreError {
        let code = errno
        return StoreError(
            code == EEXIST ? .conflict : code == ENOSPC ? .full : .input,
            "cannot \(verb) \(path): \(String(cString: strerror(code)))")
    }
}
