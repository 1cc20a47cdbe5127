import ArtifactStore
import Cryptography
import Foundation

/// One entry to put, and where it lies.
struct PutItem: Sendable {
    var entry: UploadEntry
    /// The path to open, with a NUL at its end.
    var place: [CChar]

    var byteCount: Int64 {
        if case .file(_, let count) = entry.content { return count }
        return 0
    }
}

/// Walks what is to be put and computes the hashes by which the server is asked what it lacks.
enum PutScan {
    /// A directory's entries in byte order, names as they are, UTF-8 or not.
    static func tree(_ root: String, _ progress: ProgressLine) async throws -> [PutItem] {
        var found: [Found] = []
        try walk(Array(root.utf8), [], &found)
        progress.begin("reading", total: found.reduce(0) { $0 + $1.size })
        return try await hashed(found, progress)
    }

    /// One file.
    static func file(_ path: String, _ progress: ProgressLine) async throws -> [PutItem] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("look at", Array(path.utf8)) }
        progress.begin("reading", total: Int64(status.st_size))
        let file = Found(path: [], place: Array(path.utf8), mode: 0o644, kind: .file, size: Int64(status.st_size))
        return try await hashed([file], progress)
    }

    private enum Kind: Sendable {
        case file
        case directory
        case symlink([UInt8])
    }

    private struct Found: Sendable {
        var path: [UInt8]
        var place: [UInt8]
        var mode: UInt32
        var kind: Kind
        var size: Int64 = 0
    }

    private static func walk(_ place: [UInt8], _ prefix: [UInt8], _ found: inout [Found]) throws {
        guard let handle = opendir(cString(place)) else { throw failure("read the directory", place) }
        var names: [[UInt8]] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [46] && name != [46, 46] { names.append(name) }
        }
        closedir(handle)
        for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let inner = prefix.isEmpty ? name : prefix + [47] + name
            let full = place + [47] + name
            var status = stat()
            guard lstat(cString(full), &status) == 0 else { throw failure("look at", full) }
            var item = Found(path: inner, place: full, mode: UInt32(status.st_mode & 0o777), kind: .file)
            switch status.st_mode & S_IFMT {
            case S_IFREG: item.size = Int64(status.st_size)
            case S_IFDIR: item.kind = .directory
            case S_IFLNK: item.kind = .symlink(try target(full))
            default:
                throw CommandFailure(.refused, "\(text(full)) is neither a file nor a directory nor a link")
            }
            found.append(item)
            if case .directory = item.kind { try walk(full, inner, &found) }
        }
    }

    private static func target(_ place: [UInt8]) throws -> [UInt8] {
        var target = [UInt8](repeating: 0, count: 4096)
        let path = cString(place)
        let count = target.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0, bytes.count) } ?? -1
        }
        guard count >= 0 else { throw failure("read the link", place) }
        return Array(target.prefix(count))
    }

    /// Hashes files side by side; keeps the order.
    private static func hashed(_ found: [Found], _ progress: ProgressLine) async throws -> [PutItem] {
        let lanes = min(max(1, found.count), ProcessInfo.processInfo.activeProcessorCount)
        return try await withThrowingTaskGroup(of: [(Int, PutItem)].self) { group in
            for lane in 0..<lanes {
                group.addTask {
                    try await hash(stride(from: lane, to: found.count, by: lanes).map { ($0, found[$0]) }, progress)
                }
            }
            var items = [PutItem?](repeating: nil, count: found.count)
            for try await part in group {
                for (index, item) in part { items[index] = item }
            }
            return items.compactMap { $0 }
        }
    }

    @concurrent
    private static func hash(_ found: [(Int, Found)], _ progress: ProgressLine) async throws -> [(Int, PutItem)] {
        try found.map { index, found in
            let content: UploadEntry.Content
            switch found.kind {
            case .directory: content = .directory
            case .symlink(let target): content = .symlink(target)
            case .file: content = try digest(found, progress)
            }
            return (
                index,
                PutItem(
                    entry: UploadEntry(path: found.path, mode: found.mode, content: content),
                    place: cString(found.place))
            )
        }
    }

    private static func digest(_ found: Found, _ progress: ProgressLine) throws -> UploadEntry.Content {
        var hash = SHA256()
        let file = try LocalFile(cString(found.place))
        var count: Int64 = 0
        while let bytes = try file.read(1 << 20) {
            bytes.withUnsafeBytes { hash.update($0) }
            count += Int64(bytes.count)
            progress.add(Int64(bytes.count))
        }
        return .file(hash.finish(), count)
    }

    private static func cString(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

    fileprivate static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    fileprivate static func failure(_ deed: String, _ place: [UInt8]) -> CommandFailure {
        CommandFailure(.refused, "cannot \(deed) \(text(place)): \(String(cString: strerror(errno)))")
    }
}

/// An open file, closed when it is released. Used by one task at a time.
final class LocalFile {
    private let descriptor: CInt
    let name: String

    init(_ place: [CChar]) throws {
        let bytes = place.dropLast().map { UInt8(bitPattern: $0) }
        name = PutScan.text(bytes)
        descriptor = open(place, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PutScan.failure("read", bytes) }
    }

    deinit { close(descriptor) }

    /// Goes to a place in the file.
    func seek(_ offset: Int64) throws {
        guard lseek(descriptor, off_t(offset), SEEK_SET) >= 0 else {
            throw CommandFailure(.refused, "cannot read \(name): \(String(cString: strerror(errno)))")
        }
    }

    /// The next bytes, at most `limit` and fewer only at the end; nil there.
    func read(_ limit: Int) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        var done = 0
        while done < limit {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Foundation.read(descriptor, buffer.baseAddress?.advanced(by: done), limit - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandFailure(.refused, "cannot read \(name): \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            done += count
        }
        if done == 0 { return nil }
        return done == limit ? bytes : Array(bytes.prefix(done))
    }
}
