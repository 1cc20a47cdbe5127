import ArtifactStore
import Console
import Cryptography
import Glibc

/// A directory of this machine that is made equal to a version. Everything in it is reached from its descriptor, name by
/// name and through no link, so that nothing outside changes; names are bytes.
struct LocalTree: Sendable {
    /// An open directory.
    final class Folder: Sendable {
        let descriptor: Int32

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }
    }

    private let root: Folder
    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    init(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LocalTree.failure("open directory", Array(path.utf8)) }
        root = Folder(descriptor)
    }

    /// A directory; nil when something of the path is missing or no directory.
    func folder(_ path: [UInt8]) -> Folder? {
        var current = root
        for name in path.split(separator: 0x2F) {
            let descriptor = openat(current.descriptor, LocalTree.text(name), LocalTree.flags)
            guard descriptor >= 0 else { return nil }
            current = Folder(descriptor)
        }
        return current
    }

    /// The directory that a path lies in, and its last name.
    func place(of path: [UInt8]) -> (folder: Folder, name: [CChar])? {
        let parts = path.split(separator: 0x2F)
        guard let last = parts.last, let folder = folder(Array(parts.dropLast().joined(separator: [0x2F]))) else {
            return nil
        }
        return (folder, LocalTree.text(last))
    }

    private func mustHave(_ path: [UInt8], _ verb: String) throws -> (folder: Folder, name: [CChar]) {
        guard let place = place(of: path) else { throw LocalTree.failure(verb, path) }
        return place
    }

    /// Makes a directory that can be filled; one that is there already is fine.
    func makeDirectory(_ path: [UInt8]) throws {
        let (folder, name) = try mustHave(path, "make directory")
        if mkdirat(folder.descriptor, name, 0o700) == 0 { return }
        guard errno == EEXIST, let there = self.folder(path), fchmod(there.descriptor, 0o700) == 0 else {
            throw LocalTree.failure("make directory", path)
        }
    }

    func setMode(_ path: [UInt8], _ mode: UInt32, isDirectory: Bool) throws {
        let (folder, name) = try mustHave(path, "set the mode of")
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (isDirectory ? O_DIRECTORY : 0)
        let descriptor = openat(folder.descriptor, name, flags)
        guard descriptor >= 0 else { throw LocalTree.failure("open", path) }
        defer { close(descriptor) }
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw LocalTree.failure("set the mode of", path) }
    }

    func remove(_ path: [UInt8]) throws {
        let (folder, name) = try mustHave(path, "remove")
        try LocalEntries.remove(name, in: folder.descriptor, path: String(decoding: path, as: UTF8.self))
    }

    func makeLink(_ path: [UInt8], to target: [UInt8]) throws {
        let (folder, name) = try mustHave(path, "make link")
        guard symlinkat(LocalTree.text(target[...]), folder.descriptor, name) == 0 else {
            throw LocalTree.failure("make link", path)
        }
    }

    /// Puts a file in place when `fill` has written all of it; until then, and should it fail, what was there stays.
    func replaceFile(_ path: [UInt8], mode: UInt32, _ fill: (Int32) async throws -> Void) async throws {
        let (folder, name) = try mustHave(path, "create")
        let temporary = LocalEntries.temporaryName()
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = openat(folder.descriptor, temporary, flags, 0o600)
        guard descriptor >= 0 else { throw LocalTree.failure("create", path) }
        defer { close(descriptor) }
        do {
            try await fill(descriptor)
            guard fchmod(descriptor, mode_t(mode)) == 0 else { throw LocalTree.failure("set the mode of", path) }
            try LocalEntries.replace(
                name, with: temporary, in: folder.descriptor, path: String(decoding: path, as: UTF8.self))
        } catch {
            unlinkat(folder.descriptor, temporary, 0)
            throw error
        }
    }

    /// Writes all of the bytes.
    static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: [UInt8]) throws {
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

    private static func text(_ bytes: ArraySlice<UInt8>) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

    static func failure(_ verb: String, _ path: [UInt8]) -> CommandFailure {
        let reason = String(cString: strerror(errno))
        return CommandFailure(.refused, "cannot \(verb) \(String(decoding: path, as: UTF8.self)): \(reason)")
    }
}
