import Compression
import Cryptography
import Foundation
import Synchronization

@testable import ArtifactDiff

/// The bytes of a text.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A file, link or empty directory of a tree in memory.
struct MemoryFile: Sendable {
    var kind = NodeKind.file
    var mode: UInt32 = 0o644
    var content: [UInt8] = []

    static func file(_ content: [UInt8], mode: UInt32 = 0o644) -> MemoryFile {
        MemoryFile(mode: mode, content: content)
    }
    static func text(_ text: String, mode: UInt32 = 0o644) -> MemoryFile { .file(bytes(text), mode: mode) }
    static func link(_ target: String) -> MemoryFile {
        MemoryFile(kind: .symlink, mode: 0o777, content: bytes(target))
    }
    static let directory = MemoryFile(kind: .directory, mode: 0o755)
}

/// A tree in memory that counts what is asked of it.
final class MemoryTree: TreeSource {
    /// What nodes tell about content.
    enum Identity { case digests, checksums }

    private let files: [String: MemoryFile]
    private let children: [[UInt8]: [TreeNode]]
    private let counts = Mutex((listed: 0, read: [String]()))

    var listed: Int { counts.withLock { $0.listed } }
    var readPaths: [String] { counts.withLock { $0.read } }

    init(_ files: [String: MemoryFile], identity: Identity = .digests) {
        self.files = files
        var children: [[UInt8]: [TreeNode]] = [[]: []]
        func add(_ path: String, _ node: TreeNode) {
            let parent = path.split(separator: "/").dropLast().joined(separator: "/")
            children[bytes(parent), default: []].append(node)
        }
        var directories: [String: MemoryFile] = files.filter { $0.value.kind == .directory }
        for path in files.keys {
            var parts = path.split(separator: "/").dropLast()
            while !parts.isEmpty {
                directories[parts.joined(separator: "/")] = directories[parts.joined(separator: "/")] ?? .directory
                parts = parts.dropLast()
            }
        }
        for (path, directory) in directories {
            // A Merkle root in miniature: everything below, in order.
            let below = files.filter { $0.key.hasPrefix(path + "/") }.sorted { $0.key < $1.key }
            let text = below.map { "\($0.key.dropFirst(path.count))|\($0.value.mode)|\($0.value.content)" }
            add(
                path,
                TreeNode(
                    name: bytes(path.split(separator: "/").last.map(String.init) ?? ""), kind: .directory,
                    mode: directory.mode, size: 0,
                    digest: identity == .digests ? SHA256.digest(bytes(text.joined(separator: "\n"))) : nil))
        }
        for (path, file) in files where file.kind != .directory {
            add(
                path,
                TreeNode(
                    name: bytes(path.split(separator: "/").last.map(String.init) ?? ""), kind: file.kind,
                    mode: file.mode, size: Int64(file.content.count),
                    digest: identity == .digests ? SHA256.digest(file.content) : nil,
                    crc32: CRC32.checksum(file.content), linkTarget: file.kind == .symlink ? file.content : nil))
        }
        self.children = children
    }

    func children(of directory: [UInt8]) async throws -> [TreeNode] {
        counts.withLock { $0.listed += 1 }
        return children[directory] ?? []
    }

    func read(_ file: [UInt8]) async throws -> [UInt8] {
        let path = String(decoding: file, as: UTF8.self)
        counts.withLock { $0.read.append(path) }
        guard let found = files[path] else { throw CocoaError(.fileNoSuchFile) }
        return found.content
    }

    func digest(of file: [UInt8]) async throws -> SHA256Digest { SHA256.digest(try await read(file)) }
}

/// Compares two trees in memory.
func diff(
    _ old: [String: MemoryFile], _ new: [String: MemoryFile], _ options: DiffOptions = DiffOptions(detail: .lines)
) async throws -> DiffReport {
    try await ArtifactDiffer.compare(old: MemoryTree(old), new: MemoryTree(new), options: options)
}

/// A reproducible source of randomness (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A fresh seed, printed so that a failure can be repeated.
func printedSeed(_ test: String = #function) -> UInt64 {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("\(test) seed: \(seed)")
    return seed
}
