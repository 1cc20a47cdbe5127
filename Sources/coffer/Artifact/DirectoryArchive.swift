import Console
import Foundation
import NIOCore

/// A directory as the bytes of a tar archive, made while they are sent. Entries come in byte order, so the same tree is
/// always the same stream.
struct DirectoryArchive: AsyncSequence, Sendable {
    private let members: [Member]

    fileprivate struct Member: Sendable {
        var tar: TarMember
        var place: String
    }

    /// The archive's length.
    let byteCount: Int64

    /// Walks the tree. Throws for what an artifact cannot hold: sockets, devices.
    init(_ root: String) throws {
        var found: [Member] = []
        try DirectoryArchive.walk(root, [], &found)
        members = found
        byteCount = found.reduce(Int64(TarFormat.end.count)) { sum, member in
            sum + Int64(TarFormat.header(member.tar).count) + member.tar.size
                + Int64(TarFormat.padding(after: member.tar.size).count)
        }
    }

    private static func walk(_ path: String, _ prefix: [UInt8], _ found: inout [Member]) throws {
        guard let handle = opendir(path) else { throw failure("read the directory", path) }
        var names: [[UInt8]] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [46] && name != [46, 46] { names.append(name) }
        }
        closedir(handle)
        for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let inner = prefix.isEmpty ? name : prefix + [47] + name
            try add(path + "/" + String(decoding: name, as: UTF8.self), inner, &found)
        }
    }

    private static func add(_ path: String, _ name: [UInt8], _ found: inout [Member]) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw failure("look at", path) }
        var member = TarMember(path: name, kind: .file, mode: UInt32(status.st_mode & 0o777))
        switch status.st_mode & S_IFMT {
        case S_IFREG: member.size = Int64(status.st_size)
        case S_IFDIR: member.kind = .directory
        case S_IFLNK:
            var target = [UInt8](repeating: 0, count: 4096)
            let count = target.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { readlink(path, $0, bytes.count) } ?? -1
            }
            guard count >= 0 else { throw failure("read the link", path) }
            member.kind = .symlink
            member.target = Array(target.prefix(count))
        default:
            throw CommandFailure(.refused, "\(path) is neither a file nor a directory nor a link")
        }
        found.append(Member(tar: member, place: path))
        if member.kind == .directory { try walk(path, name, &found) }
    }

    fileprivate static func failure(_ deed: String, _ path: String) -> CommandFailure {
        CommandFailure(.refused, "cannot \(deed) \(path): \(String(cString: strerror(errno)))")
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        private static let pieceBytes: Int64 = 256 << 10
        private let members: [Member]
        private var index = 0
        private var file: (handle: FileHandle, left: Int64)?
        private var isOver = false

        fileprivate init(_ members: [Member]) { self.members = members }

        mutating func next() async throws -> ByteBuffer? {
            if let file { return ByteBuffer(bytes: try piece(file.handle, left: file.left)) }
            guard index < members.count else {
                defer { isOver = true }
                return isOver ? nil : ByteBuffer(bytes: TarFormat.end)
            }
            let member = members[index]
            if member.tar.kind == .file, member.tar.size > 0 {
                guard let handle = FileHandle(forReadingAtPath: member.place) else {
                    throw DirectoryArchive.failure("read", member.place)
                }
                file = (handle, member.tar.size)
            } else {
                index += 1
            }
            return ByteBuffer(bytes: TarFormat.header(member.tar))
        }

        private mutating func piece(_ handle: FileHandle, left: Int64) throws -> [UInt8] {
            let member = members[index]
            let count = Swift.min(left, Self.pieceBytes)
            var bytes = Array(try handle.read(upToCount: Int(count)) ?? Data())
            guard Int64(bytes.count) == count else {
                throw CommandFailure(.conflict, "\(member.place) changed while it was sent; nothing was stored")
            }
            if left == count {
                try handle.close()
                file = nil
                index += 1
                bytes += TarFormat.padding(after: member.tar.size)
            } else {
                file = (handle, left - count)
            }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(members) }
}
