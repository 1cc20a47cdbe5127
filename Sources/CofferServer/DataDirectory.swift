public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The directory a server owns, and the lock that keeps a second process out of it.
///
/// The lock is `flock` on the file `lock`: the kernel drops it when the process ends, however it ends, so no stale lock can
/// keep a restart out. The descriptor is close-on-exec, so that no child process holds the directory past its parent.
public final class DataDirectory: Sendable {
    /// Where the directory is.
    public let path: FilePath
    /// True when nothing had been kept here before this process came.
    public let isFresh: Bool
    private let lock: CInt

    /// Database of everything that is not artifact content.
    public var catalog: FilePath { path.appending("catalog.sqlite") }
    /// Root of the key hierarchy.
    public var root: FilePath { path.appending("root") }
    /// Packs and what belongs to them.
    public var store: FilePath { path.appending("store") }
    /// Sandboxes' working directories, emptied at every start.
    public var work: FilePath { path.appending("work") }
    /// The root access key, in the format of `~/.aws/credentials`, mode 0600.
    public var credentials: FilePath { path.appending("credentials") }
    /// Where the server that holds the directory listens.
    public var announcement: FilePath { path.appending("server.json") }

    /// Opens the directory and takes its lock, making the directory first when `create` says so.
    ///
    /// Throws ``StartupError`` with kind `held` while another process has it, `notADataDirectory` when there is nothing to
    /// open or the directory belongs to something else.
    public init(_ name: String, create: Bool) throws {
        path = FilePath(name)
        var isNew = false
        if mkdirIfAsked(path, create) { isNew = true }
        let catalogPath = path.appending("catalog.sqlite").string
        let hasCatalog = access(catalogPath, F_OK) == 0
        if !hasCatalog && !isNew {
            guard create else {
                throw StartupError(
                    .notADataDirectory,
                    "\(name) is not a Coffer data directory; name one that `coffer serve --data` has used")
            }
            let strangers = try DataDirectory.strangers(in: path)
            if let stranger = strangers.first {
                throw StartupError(
                    .notADataDirectory,
                    "\(name) holds \(stranger), which is not Coffer's; name a new or an empty directory")
            }
        }
        lock = try DataDirectory.takeLock(path.appending("lock"), directory: name)
        isFresh = !hasCatalog
        if create {
            for inner in [root, store, work] { _ = mkdirIfAsked(inner, true) }
        }
    }

    deinit {
        // Closing alone would leave the lock to a child that was forked and has not come to close its copy.
        _ = flock(lock, LOCK_UN)
        _ = close(lock)
    }

    /// The number of the volume that a directory lies on; nil when there is no such directory.
    static func volume(of directory: FilePath) -> UInt64? {
        var status = stat()
        guard stat(directory.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return UInt64(status.st_dev)
    }

    private static func takeLock(_ file: FilePath, directory: String) throws -> CInt {
        let descriptor = open(file.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StartupError(.failed, "cannot open \(file): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            var holder = [UInt8](repeating: 0, count: 20)
            let count = pread(descriptor, &holder, holder.count, 0)
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw StartupError(.failed, "cannot lock \(file): \(String(cString: strerror(reason)))")
            }
            let pid = String(decoding: holder.prefix(max(0, count)).prefix { $0 > 32 }, as: UTF8.self)
            throw StartupError(
                .held, "\(directory) is in use by process \(pid.isEmpty ? "(unknown)" : pid); stop that server first")
        }
        // The process number is only there for people; the lock is what counts.
        let pid = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, pid, pid.count, 0)
        return descriptor
    }

    /// Names in a directory that a crash of a first start cannot have left there.
    private static func strangers(in path: FilePath) throws -> [String] {
        let known: Set<String> = ["lock", "credentials", "root", "store", "work", "server.json", "lost+found"]
        guard let handle = opendir(path.string) else {
            throw StartupError(.failed, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." && !known.contains(name) && !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}

/// Makes the directory and its parents with mode 0700; true when the last one is new.
private func mkdirIfAsked(_ path: FilePath, _ create: Bool) -> Bool {
    guard create, !path.isEmpty else { return false }
    if mkdir(path.string, 0o700) == 0 { return true }
    guard errno == ENOENT else { return false }
    _ = mkdirIfAsked(path.removingLastComponent(), true)
    return mkdir(path.string, 0o700) == 0
}

extension DataDirectory {
    /// Writes a small file so that a crash leaves either the old one or the whole new one (mode 0600).
    public static func replace(_ file: FilePath, with bytes: [UInt8]) throws {
        let temporary = FilePath(file.string + ".new")
        let descriptor = open(temporary.string, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StartupError(.failed, "cannot write \(temporary): \(String(cString: strerror(errno)))")
        }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        let isComplete = written == bytes.count && fsync(descriptor) == 0
        let reason = errno
        close(descriptor)
        guard isComplete, rename(temporary.string, file.string) == 0 else {
            let message = String(cString: strerror(isComplete ? errno : reason))
            unlink(temporary.string)
            throw StartupError(.failed, "cannot write \(file): \(message)")
        }
        let directory = open(file.removingLastComponent().string, O_RDONLY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    /// Reads a small file; nil when there is none.
    public static func contents(of file: FilePath) throws -> [UInt8]? {
        let descriptor = open(file.string, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StartupError(.failed, "cannot read \(file): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw StartupError(.failed, "cannot read \(file): \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            bytes += buffer.prefix(count)
        }
        return bytes
    }
}
