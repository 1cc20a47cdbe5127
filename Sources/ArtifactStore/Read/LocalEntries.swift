package import Cryptography
import Glibc

/// What is in a directory that a version is to be written over. Names are relative to a directory's descriptor and links
/// are never followed.
package enum LocalEntries {
    /// The type bits of an entry; nil when there is none.
    package static func kind(of name: [CChar], in parent: Int32) -> UInt32? {
        var status = stat()
        guard fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        return status.st_mode & S_IFMT
    }

    /// Where a symlink points; nil when the entry is none.
    package static func target(of name: [CChar], in parent: Int32) -> [UInt8]? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlinkat(parent, name, &buffer, buffer.count)
        return count < 0 ? nil : buffer[..<count].map { UInt8(bitPattern: $0) }
    }

    /// Whether a file holds some content already; its mode is set if it does.
    static func isFile(
        _ name: [CChar], in parent: Int32, _ content: FileContent, mode: UInt32, path: String
    ) throws -> Bool {
        try isFile(name, in: parent, byteCount: content.byteCount, content.digest, mode: mode, path: path)
    }

    /// The same for content that is known by length and SHA-256; without a mode, the file is left as it is.
    package static func isFile(
        _ name: [CChar], in parent: Int32, byteCount: Int64, _ wanted: SHA256Digest, mode: UInt32?, path: String
    ) throws -> Bool {
        guard kind(of: name, in: parent) == S_IFREG else { return false }
        let file = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int64(status.st_size) == byteCount,
            // A second name of the file, outside of the target, must not change with it.
            status.st_nlink == 1, try digest(file, path) == wanted
        else { return false }
        guard let mode, status.st_mode & 0o7777 != mode else { return true }
        guard fchmod(file, mode_t(mode)) == 0 else { throw Materialiser.failure("set the mode of", path) }
        return true
    }

    private static func digest(_ file: Int32, _ path: String) throws -> SHA256Digest {
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
        defer { buffer.deallocate() }
        while true {
            let count = read(file, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Materialiser.failure("read", path) }
            if count == 0 { return hash.finish() }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// A name that no version has, for a file that is being written.
    package static func temporaryName() -> [CChar] {
        let name = ".coffer-" + Hex.encode(SecureRandom.bytes(12))
        return name.utf8.map { CChar(bitPattern: $0) } + [0]
    }

    /// Puts a finished file in the place of whatever has the name.
    package static func replace(_ name: [CChar], with finished: [CChar], in parent: Int32, path: String) throws {
        if kind(of: name, in: parent) == S_IFDIR { try remove(name, in: parent, path: path) }
        guard renameat(parent, finished, parent, name) == 0 else { throw Materialiser.failure("replace", path) }
    }

    /// Removes whatever has the name, directories with all they hold; nothing there is fine.
    package static func remove(_ name: [CChar], in parent: Int32, path: String) throws {
        guard let kind = kind(of: name, in: parent) else { return }
        if kind == S_IFDIR {
            let child = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard child >= 0 else { throw Materialiser.failure("open directory", path) }
            defer { close(child) }
            guard fchmod(child, 0o700) == 0 else { throw Materialiser.failure("set the mode of", path) }
            try remove(from: child, except: [], path: path)
        }
        guard unlinkat(parent, name, kind == S_IFDIR ? AT_REMOVEDIR : 0) == 0 else {
            throw Materialiser.failure("remove", path)
        }
    }

    /// Removes every entry of a directory but those named. Returns how many.
    @discardableResult
    static func remove(from directory: Int32, except kept: Set<[UInt8]>, path: String) throws -> Int {
        let doomed = try names(in: directory, path: path).filter { !kept.contains($0) }
        for name in doomed { try remove(name.map { CChar(bitPattern: $0) } + [0], in: directory, path: path) }
        return doomed.count
    }

    /// The names in a directory.
    package static func names(in directory: Int32, path: String) throws -> [[UInt8]] {
        let again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard again >= 0, let stream = fdopendir(again) else { throw Materialiser.failure("read directory", path) }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let item = readdir(stream) {
            let name = withUnsafeBytes(of: &item.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
        }
        return names
    }
}
