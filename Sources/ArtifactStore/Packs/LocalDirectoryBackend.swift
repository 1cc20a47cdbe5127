import Foundation
import Glibc
import Synchronization
public import SystemPackage

/// Packs as files in a directory, spread over 256 subdirectories by the first two digits of their name.
public final class LocalDirectoryBackend: BlobBackend {
    private let root: FilePath
    private let open = Mutex(OpenPacks())
    private let openMaximum: Int
    private let write: PositionedWrite

    /// Open descriptors by name, closed least recently used first. A descriptor in use is kept by its reader's reference.
    private struct OpenPacks {
        private var packs: [String: (descriptor: Descriptor, turn: UInt64)] = [:]
        private var turn: UInt64 = 0

        mutating func use(_ name: String) -> Descriptor? {
            guard let descriptor = packs[name]?.descriptor else { return nil }
            turn += 1
            packs[name]?.turn = turn
            return descriptor
        }

        mutating func remember(_ name: String, _ descriptor: Descriptor, maximum: Int) {
            if packs.count >= maximum { forget(packs.count - maximum * 7 / 8) }
            turn += 1
            packs[name] = (descriptor, turn)
        }

        mutating func forget(_ name: String) { packs[name] = nil }

        /// Forgets some: at least one. Tells whether there was any.
        @discardableResult mutating func forget(_ count: Int) -> Bool {
            let oldest = packs.sorted { $0.value.turn < $1.value.turn }.prefix(max(1, count))
            for (name, _) in oldest { packs[name] = nil }
            return !oldest.isEmpty
        }

        mutating func forgetHalf() -> Bool { forget(packs.count / 2) }
    }

    /// Writes some bytes at a place in an open file, as `pwrite` does: how many, which may be fewer, or -1 with `errno` set.
    package typealias PositionedWrite =
        @Sendable (
            _ file: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ offset: Int
        ) -> Int

    private final class Descriptor: Sendable {
        let value: Int32
        init(_ value: Int32) { self.value = value }
        deinit { Glibc.close(value) }
    }

    /// - Parameter directory: made, with its parents, when it does not exist.
    public convenience init(directory: FilePath) throws {
        try self.init(directory: directory, write: { pwrite($0, $1, $2, $3) })
    }

    /// - Parameter write: what tests put in the place of `pwrite`.
    package init(directory: FilePath, write: @escaping PositionedWrite) throws {
        root = directory
        self.write = write
        openMaximum = OpenFiles.current.forPacks
        try FileManager.default.createDirectory(
            atPath: root.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private func folder(_ name: String) -> String { root.string + "/" + name.prefix(2) }
    private func path(_ name: String) -> String { folder(name) + "/" + name }

    /// Makes an empty pack.
    public func create(_ name: String) throws {
        if mkdir(folder(name), 0o700) == 0 {
            try syncDirectory(root.string)
        } else if errno != EEXIST {
            throw Self.failure("make a directory for", name)
        }
        let descriptor = opening(path(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw Self.failure("create", name) }
        remember(name, Descriptor(descriptor))
        try syncDirectory(folder(name))
    }

    /// Writes at the end of a pack.
    public func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws {
        let file = try descriptor(name)
        var done = 0
        while done < bytes.count {
            let count = write(
                file.value, bytes.baseAddress?.advanced(by: done), bytes.count - done, Int(offset) + done)
            if count < 0 && errno == EINTR { continue }
            guard count != 0 else { throw StoreError(.input, "cannot write to pack \(name): nothing was written") }
            guard count > 0 else { throw Self.failure("write to", name) }
            done += count
        }
    }

    /// Flushes a pack to the disk.
    public func sync(_ name: String) throws {
        guard fdatasync(try descriptor(name).value) == 0 else { throw Self.failure("flush", name) }
    }

    /// Makes a complete pack durable.
    public func seal(_ name: String) throws { try sync(name) }

    /// Shortens a pack.
    public func truncate(_ name: String, to length: Int64) throws {
        let file = try descriptor(name)
        guard ftruncate(file.value, Int(length)) == 0, fsync(file.value) == 0 else {
            throw Self.failure("shorten", name)
        }
    }

    /// Reads exactly the bytes asked for.
    public func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws {
        let file = try descriptor(name)
        var done = 0
        while done < buffer.count {
            let count = pread(
                file.value, buffer.baseAddress?.advanced(by: done), buffer.count - done, Int(offset) + done)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("read", name) }
            guard count > 0 else {
                throw StoreError.integrity("pack \(name) ends before byte \(offset + Int64(buffer.count))")
            }
            done += count
        }
    }

    /// Has the kernel read ahead.
    public func willRead(_ name: String, at offset: Int64, count: Int) {
        // Advice only: a pack that cannot be opened is reported by the read itself.
        guard let file = try? descriptor(name) else { return }
        _ = posix_fadvise(file.value, Int(offset), count, POSIX_FADV_WILLNEED)
    }

    /// The length of a pack, or nil when there is none.
    public func length(_ name: String) throws -> Int64? {
        var status = stat()
        guard stat(path(name), &status) == 0 else {
            if errno == ENOENT { return nil }
            throw Self.failure("examine", name)
        }
        return Int64(status.st_size)
    }

    /// Removes a pack; none there is no failure.
    public func delete(_ name: String) throws {
        open.withLock { $0.forget(name) }
        guard unlink(path(name)) == 0 || errno == ENOENT else { throw Self.failure("delete", name) }
    }

    /// All packs.
    public func list() throws -> [String] {
        var names: [String] = []
        for folder in try FileManager.default.contentsOfDirectory(atPath: root.string) where folder.utf8.count == 2 {
            names += try FileManager.default.contentsOfDirectory(atPath: root.string + "/" + folder)
        }
        return names
    }

    private func descriptor(_ name: String) throws -> Descriptor {
        if let found = open.withLock({ $0.use(name) }) { return found }
        var descriptor = opening(path(name), O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        // A read-only file system still serves reads.
        if descriptor < 0 && (errno == EROFS || errno == EACCES) {
            descriptor = opening(path(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        }
        guard descriptor >= 0 else {
            if errno == ENOENT { throw StoreError.integrity("pack \(name) is missing") }
            throw Self.failure("open", name)
        }
        let made = Descriptor(descriptor)
        remember(name, made)
        return made
    }

    /// Opens a file. Where the process has too many open, packs that nobody reads at the moment make room: they are opened
    /// again when they are needed.
    private func opening(_ path: String, _ flags: Int32) -> Int32 {
        while true {
            let descriptor = Glibc.open(path, flags, 0o600)
            let reason = errno
            guard descriptor < 0, reason == EMFILE || reason == ENFILE, open.withLock({ $0.forgetHalf() }) else {
                errno = reason
                return descriptor
            }
        }
    }

    private func remember(_ name: String, _ descriptor: Descriptor) {
        open.withLock { $0.remember(name, descriptor, maximum: openMaximum) }
    }

    private func syncDirectory(_ path: String) throws {
        let descriptor = opening(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("open", "directory") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure("flush", "directory") }
    }

    private static func failure(_ verb: String, _ name: String) -> StoreError {
        let code = errno
        let reason = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            return StoreError(.full, "cannot \(verb) pack \(name): \(reason); free space and try again")
        case EFBIG:
            return StoreError(
                .full, "cannot \(verb) pack \(name): \(reason); raise the limit on the size of files (ulimit -f)")
        case EMFILE, ENFILE:
            return StoreError(
                .input,
                "cannot \(verb) pack \(name): \(reason); raise the limit on open files (ulimit -n, LimitNOFILE=)")
        case EROFS: return StoreError(.readOnly, "cannot \(verb) pack \(name): \(reason)")
        default: return StoreError(.input, "cannot \(verb) pack \(name): \(reason)")
        }
    }
}
