import CCofferShims
import Cryptography
import Foundation
import Glibc
import KeyHierarchy
public import SystemPackage

/// A witness that is a file to which lines are only ever added: on another machine's volume, or where the file system lets
/// nobody take lines away (`chattr +a`). Several instances may share one.
public struct WitnessFile: LogWitness {
    private let path: FilePath

    /// A witness in a file that is made when it does not exist; its directory must.
    public init(_ path: FilePath) { self.path = path }

    /// The file's path.
    public var name: String { path.string }

    /// The largest line that is taken for a head, in bytes.
    private static let lineBytesMax = 4096

    /// Reads the file from its beginning. Throws `StoreError` when it cannot be read, or there is no such directory.
    public func newest(of instance: String) async throws -> WitnessedHead? {
        let path = path
        return try await Self.offPool {
            let descriptor = open(path.string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard descriptor >= 0 else {
                if errno == ENOENT, access(path.removingLastComponent().string, R_OK) == 0 { return nil }
                throw Self.failure(path, "cannot be read")
            }
            defer { close(descriptor) }
            try Self.requireFile(descriptor, path)
            var search = NewestHead(instance: instance)
            var line: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 256 << 10)
            while true {
                let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw Self.failure(path, "cannot be read") }
                if count == 0 { return search.newest }
                for byte in buffer[..<count] {
                    if byte == UInt8(ascii: "\n") {
                        search.take(line)
                        line.removeAll(keepingCapacity: true)
                    } else if line.count <= Self.lineBytesMax {
                        line.append(byte)
                    }
                }
            }
        }
    }

    /// Adds a line and flushes it. Throws `StoreError` when it cannot be written.
    public func keep(_ head: WitnessedHead) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = Array(try encoder.encode(head)) + [UInt8(ascii: "\n")]
        let path = path
        try await Self.offPool {
            let flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
            let descriptor = open(path.string, flags, 0o600)
            guard descriptor >= 0 else { throw Self.failure(path, "cannot be written") }
            defer { close(descriptor) }
            try Self.requireFile(descriptor, path)
            // What a crash left of a line would spoil this one.
            var last: UInt8 = 0
            let end = lseek(descriptor, 0, SEEK_END)
            let isTorn = end > 0 && pread(descriptor, &last, 1, end - 1) == 1 && last != UInt8(ascii: "\n")
            var bytes = (isTorn ? [UInt8(ascii: "\n")] : []) + text
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.failure(path, "cannot be written") }
                bytes.removeFirst(count)
            }
            guard fsync(descriptor) == 0 else { throw Self.failure(path, "cannot be flushed") }
        }
    }

    /// A pipe or a terminal keeps nothing.
    private static func requireFile(_ descriptor: Int32, _ path: FilePath) throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.input, "the witness \(path) is not a file, which is what keeps lines")
        }
    }

    private static func failure(_ path: FilePath, _ what: String) -> StoreError {
        let reason = String(cString: strerror(errno))
        return StoreError(.input, "the witness \(path) \(what): \(reason)")
    }

    private static func offPool<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(with: Result { try work() }) }
        }
    }
}

/// Finds the head that counts among the lines of a file.
///
/// The log only grows, so it is the one with the most entries, whatever order the lines have: an old line copied to the end
/// changes nothing. Only a head that supersedes all before it may be smaller, once.
struct NewestHead {
    let instance: String
    private(set) var newest: WitnessedHead?
    /// The signatures of superseding heads, as bytes: a line written otherwise is not another head.
    private var superseding: Set<[UInt8]> = []

    init(instance: String) { self.instance = instance }

    mutating func take(_ line: [UInt8]) {
        // What is no head, the rest of a torn line or a remark, says nothing.
        guard let head = try? JSONDecoder().decode(WitnessedHead.self, from: Data(line)), head.instance == instance
        else { return }
        let isLater = newest.map { ($0.size, $0.journalSize) <= (head.size, head.journalSize) } ?? true
        if head.supersedes {
            let isNew = Hex.decode(head.signature).map { superseding.insert($0).inserted } ?? true
            if isNew || isLater { newest = head }
        } else if isLater {
            newest = head
        }
    }
}
