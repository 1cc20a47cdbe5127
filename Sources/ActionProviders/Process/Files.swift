import Foundation
import Glibc

/// A file operation that the system refused.
struct FileError: Error, CustomStringConvertible {
    let operation: String
    let path: String
    let code: Int32
    var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

/// Makes a directory with exactly this mode; one that exists is given it.
func makeDirectory(_ path: String, mode: mode_t) throws(FileError) {
    if mkdir(path, mode) != 0, errno != EEXIST { throw FileError(operation: "make", path: path, code: errno) }
    if chmod(path, mode) != 0 { throw FileError(operation: "set the mode of", path: path, code: errno) }
}

/// Removes a directory and all below it, without following links and in spite of read-only directories.
///
/// What cannot be removed stays: the next start tries again.
func removeTree(_ path: String) {
    if unlink(path) == 0 { return }
    guard let directory = opendir(path) else {
        _ = chmod(path, 0o700)
        guard let again = opendir(path) else { return }
        closedir(again)
        return removeTree(path)
    }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    closedir(directory)
    if !names.isEmpty { _ = chmod(path, 0o700) }
    for name in names { removeTree("\(path)/\(name)") }
    _ = rmdir(path)
}

/// Where a symbolic link points, or nil when `path` is none.
func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The path without links, or nil when it does not exist.
func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// Runs blocking work on a thread of its own pool, away from the cooperative one.
func offload<R: Sendable, Failure: Error>(_ body: @escaping @Sendable () throws(Failure) -> R) async throws(Failure)
    -> R
{
    let result: Result<R, Failure> = await withCheckedContinuation { continuation in
        blockingQueue.async { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
}

private let blockingQueue = DispatchQueue(label: "coffer.providers.files", attributes: .concurrent)
