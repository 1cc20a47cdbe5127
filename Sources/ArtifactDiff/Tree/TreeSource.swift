public import Cryptography

/// One entry of a directory in a tree that is compared.
public struct TreeNode: Sendable, Hashable {
    /// The last component of the path, as raw bytes.
    public var name: [UInt8]
    /// File, directory or link.
    public var kind: NodeKind
    /// Permission bits; nil where the source does not know them, which makes them equal to any.
    public var mode: UInt32?
    /// Bytes of a file, length of a link's target, 0 for a directory.
    public var size: Int64
    /// SHA-256 of a file's content, or whatever identifies a directory's content; nil where unknown.
    public var digest: SHA256Digest?
    /// CRC-32 of a file's content, where known. Differing values prove a difference; equal ones prove nothing.
    public var crc32: UInt32?
    /// Where a link points.
    public var linkTarget: [UInt8]?

    /// An entry.
    public init(
        name: [UInt8], kind: NodeKind, mode: UInt32?, size: Int64, digest: SHA256Digest? = nil, crc32: UInt32? = nil,
        linkTarget: [UInt8]? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.size = size
        self.digest = digest
        self.crc32 = crc32
        self.linkTarget = linkTarget
    }
}

/// A tree that can be compared. Paths are raw bytes, components separated by `/`; the root is the empty path.
public protocol TreeSource: Sendable {
    /// Files and links in the whole tree, where that is known without listing it; nil otherwise.
    var fileCount: Int? { get }

    /// The entries of a directory, in any order.
    func children(of directory: [UInt8]) async throws -> [TreeNode]

    /// The whole content of a file, whose size the caller has checked.
    func read(_ file: [UInt8]) async throws -> [UInt8]

    /// SHA-256 of a file's content, for files whose node has none.
    func digest(of file: [UInt8]) async throws -> SHA256Digest
}

extension TreeSource {
    /// Not known.
    public var fileCount: Int? { nil }
}

/// An entry with its whole path.
struct PathNode: Sendable, Hashable {
    var path: [UInt8]
    var node: TreeNode

    var name: String { String(decoding: path, as: UTF8.self) }

    var side: ChangeSide {
        ChangeSide(
            kind: node.kind, mode: node.mode ?? (node.kind == .directory ? 0o755 : 0o644), size: node.size,
            digest: node.kind == .file ? node.digest?.description : nil,
            linkTarget: node.linkTarget.map { String(decoding: $0, as: UTF8.self) })
    }
}

/// A tree made of a list of entries, for listings that come at once.
public struct ListedTree: TreeSource {
    private let directories: [[UInt8]: [TreeNode]]
    private let readFile: @Sendable ([UInt8]) async throws -> [UInt8]

    /// Arranges entries, whose nodes' names are ignored in favour of the paths. Directories that only occur in paths are
    /// made up, with unknown modes. `read` returns the content of the file at a path.
    public init(
        _ entries: [(path: [UInt8], node: TreeNode)], read: @escaping @Sendable ([UInt8]) async throws -> [UInt8]
    ) {
        var directories: [[UInt8]: [TreeNode]] = [[]: []]
        var known: Set<[UInt8]> = [[]]
        let explicit = Set(entries.lazy.filter { $0.node.kind == .directory }.map(\.path))
        func ensure(_ directory: [UInt8]) {
            guard known.insert(directory).inserted else { return }
            let (parent, name) = Self.split(directory)
            ensure(parent)
            directories[directory] = []
            if !explicit.contains(directory) {
                directories[parent, default: []].append(
                    TreeNode(name: name, kind: .directory, mode: nil, size: 0))
            }
        }
        for (path, node) in entries where !path.isEmpty {
            let (parent, name) = Self.split(path)
            ensure(parent)
            var node = node
            node.name = name
            if node.kind == .directory { ensure(path) }
            directories[parent, default: []].append(node)
        }
        self.directories = directories
        readFile = read
    }

    /// The entries of a directory.
    public func children(of directory: [UInt8]) async throws -> [TreeNode] {
        directories[directory] ?? []
    }

    /// The content of a file.
    public func read(_ file: [UInt8]) async throws -> [UInt8] { try await readFile(file) }

    /// SHA-256 of a file's content.
    public func digest(of file: [UInt8]) async throws -> SHA256Digest {
        SHA256.digest(try await readFile(file))
    }

    private static func split(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]) {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([], path) }
        return (Array(path[..<slash]), Array(path[(slash + 1)...]))
    }
}
