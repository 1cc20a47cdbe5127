import CCofferShims
import Cryptography
import Glibc

/// Small secret files: read under strict conditions, written so that a crash leaves the old or the new content.
enum SecureFile {
    /// Reads a file that must be regular, have one link, belong to this user and be closed to everyone else.
    /// Symbolic links are not followed.
    static func read(_ path: String, maxBytes: Int = 1 << 20) throws(RootError) -> SecretBytes {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT: throw .missing(path)
            case ELOOP: throw .refused(path, "it is a symbolic link; put the file itself there")
            default: throw .io(path, "open", errno)
            }
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .io(path, "stat", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .refused(path, "it is not a regular file") }
        guard status.st_nlink == 1 else {
            throw .refused(path, "it has \(status.st_nlink) hard links; remove all others")
        }
        guard status.st_uid == geteuid() else {
            throw .refused(path, "it belongs to user \(status.st_uid); it must belong to user \(geteuid())")
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw .refused(path, "its mode is \(mode); others may read it, run chmod 600 on it")
        }
        guard status.st_size <= maxBytes else { throw .refused(path, "it is larger than \(maxBytes) bytes") }
        var failure: Int32?
        let content = SecretBytes(count: Int(status.st_size)) { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = Glibc.read(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    failure = count < 0 ? errno : EIO
                    return
                }
                offset += count
            }
        }
        if let failure { throw .io(path, "read", failure) }
        return content
    }

    /// Replaces (or with `exclusive` creates) a file: temporary file beside it, flush, rename, flush the directory.
    static func write(_ path: String, _ bytes: UnsafeRawBufferPointer, exclusive: Bool = false) throws(RootError) {
        let temporary = path + ".new"
        _ = unlink(temporary)  // What a crash left; it never became visible.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .io(temporary, "create", errno) }
        do throws(RootError) {
            var offset = 0
            while offset < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw RootError.io(temporary, "write", errno) }
                offset += count
            }
            guard fsync(descriptor) == 0 else { throw RootError.io(temporary, "fsync", errno) }
            if exclusive {
                guard coffer_rename_no_replace(temporary, path) == 0 else { throw RootError.io(path, "create", errno) }
            } else {
                guard rename(temporary, path) == 0 else { throw RootError.io(path, "rename", errno) }
            }
        } catch {
            close(descriptor)
            _ = unlink(temporary)
            throw error
        }
        close(descriptor)
        try flushDirectory(of: path)
    }

    private static func flushDirectory(of path: String) throws(RootError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(directory, "open", errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io(directory, "fsync", errno) }
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }
}
