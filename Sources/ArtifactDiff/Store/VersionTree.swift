import Archives
public import ArtifactStore
import Cryptography
public import KeyHierarchy

/// Stored versions as trees that can be compared.
public enum VersionTree {
    /// The tree of a version, or of a part of it.
    ///
    /// A directory is listed on demand, so that equal subtrees are never read. A blob that is a ZIP, or an archive in a
    /// directory named by a trailing `!`, is listed once from its central directory. Anything else is a tree of one file.
    ///
    /// - Parameters:
    ///   - path: a directory, a file, or a place inside an archive (`dist/app.jar!lib`); nil: everything.
    ///   - share: what the reader reads through; nil: as the owner.
    /// - Throws: `StoreError`, with `.notFound` where there is no such path.
    public static func open(
        _ store: ArtifactStore, _ version: Version, path: String? = nil, through share: ArtifactShare? = nil
    ) async throws -> any TreeSource {
        let halves = (path ?? "").split(separator: "!", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let outer = trimmed(halves.first ?? "")
        if version.rootKind == .blob {
            let inner = trimmed(halves.last ?? "")
            let bytes = RangeSource(byteCount: version.logicalBytes) { range in
                try await store.read(version.id, range: range, through: share).collect(
                    upTo: Int(range.upperBound - range.lowerBound))
            }
            if let archive = try? await ZipReader(bytes) { return try await zip(archive, under: inner) }
            guard inner.isEmpty else {
                throw StoreError(.notFound, "the version is no archive and has nothing at \(inner)")
            }
            return StoredFile(
                name: version.draft.artifact, size: version.logicalBytes, mode: nil, id: version.contentID,
                stream: { try await store.read(version.id, through: share) })
        }
        if halves.count == 2 { return try await archive(store, version, outer, under: trimmed(halves[1]), share) }
        if outer.isEmpty {
            return StoredDirectory(
                store: store, version: version.id, share: share, root: "", fileCount: version.fileCount)
        }
        let found = try await store.entries(of: version.id, under: outer, recursive: false, through: share)
        // A directory lists its children; a file or link lists itself.
        guard let entry = found.first, found.count == 1, entry.path == outer else {
            return StoredDirectory(store: store, version: version.id, share: share, root: outer, fileCount: nil)
        }
        return StoredFile(
            name: entry.name, size: entry.size, mode: entry.mode, id: entry.contentID,
            stream: { try await store.readFile(version.id, path: outer, through: share).stream })
    }

    private static func archive(
        _ store: ArtifactStore, _ version: Version, _ file: String, under inner: String, _ share: ArtifactShare?
    ) async throws -> any TreeSource {
        let entry = try await store.readFile(version.id, path: file, range: 0..<0, through: share).entry
        let bytes = RangeSource(byteCount: entry.size) { range in
            try await store.readFile(version.id, path: file, range: range, through: share).stream
                .collect(upTo: Int(range.upperBound - range.lowerBound))
        }
        do {
            return try await zip(try await ZipReader(bytes), under: inner)
        } catch let error as ArchiveError {
            throw StoreError(.invalid, "\(file) is not a ZIP that can be listed: \(error)")
        }
    }

    /// The members of a ZIP below a directory.
    static func zip(_ reader: ZipReader, under directory: String) async throws -> any TreeSource {
        let prefix = directory.isEmpty ? [] : Array((directory + "/").utf8)
        var entries: [(path: [UInt8], node: TreeNode)] = []
        var members: [[UInt8]: ZipMember] = [:]
        for member in reader.members where member.name.bytes.starts(with: prefix) {
            let path = Array(member.name.bytes.dropFirst(prefix.count))
            guard !path.isEmpty else { continue }
            let kind: NodeKind =
                switch member.kind {
                case .file: .file
                case .directory: .directory
                case .symlink: .symlink
                }
            let target = kind == .symlink ? try await reader.bytes(of: member, upTo: 4_096) : nil
            entries.append(
                (
                    path,
                    TreeNode(
                        name: [], kind: kind, mode: member.hasUnixMode ? UInt32(member.permissions) & 0o777 : nil,
                        size: member.uncompressedSize, crc32: member.crc32, linkTarget: target)
                ))
            members[path] = member
        }
        if entries.isEmpty, !directory.isEmpty {
            throw StoreError(.notFound, "the archive has nothing below \(directory)")
        }
        return ListedTree(entries) { [members] path in
            guard let member = members[path] else {
                throw StoreError(.notFound, "the archive has no file \(String(decoding: path, as: UTF8.self))")
            }
            return try await reader.bytes(of: member, upTo: Int(member.uncompressedSize))
        }
    }

    private static func trimmed(_ path: String) -> String {
        path.split(separator: "/").joined(separator: "/")
    }
}

/// A directory of a stored version.
private struct StoredDirectory: TreeSource {
    let store: ArtifactStore
    let version: VersionID
    let share: ArtifactShare?
    let root: String
    let fileCount: Int?

    func children(of directory: [UInt8]) async throws -> [TreeNode] {
        let path = place(directory)
        let entries = try await store.entries(
            of: version, under: path.isEmpty ? nil : path, recursive: false, through: share)
        return entries.map { entry in
            let kind: NodeKind =
                switch entry.kind {
                case .file: .file
                case .directory: .directory
                case .symlink: .symlink
                }
            return TreeNode(
                name: Array(RenameFinder.name(entry.rawPath)), kind: kind, mode: entry.mode, size: entry.size,
                digest: entry.contentID, crc32: entry.crc32, linkTarget: entry.linkTarget.map { Array($0.utf8) })
        }
    }

    func read(_ file: [UInt8]) async throws -> [UInt8] {
        let (entry, stream) = try await store.readFile(version, path: place(file), through: share)
        return try await stream.collect(upTo: Int(entry.size))
    }

    func digest(of file: [UInt8]) async throws -> SHA256Digest {
        try await store.readFile(version, path: place(file), through: share).stream.digest()
    }

    private func place(_ path: [UInt8]) -> String {
        let below = String(decoding: path, as: UTF8.self)
        if root.isEmpty { return below }
        return below.isEmpty ? root : root + "/" + below
    }
}

/// One stored file as a tree.
private struct StoredFile: TreeSource {
    let name: String
    let size: Int64
    let mode: UInt32?
    let id: SHA256Digest?
    let stream: @Sendable () async throws -> ByteStream

    func children(of directory: [UInt8]) async throws -> [TreeNode] {
        guard directory.isEmpty else { return [] }
        return [TreeNode(name: Array(name.utf8), kind: .file, mode: mode, size: size, digest: id)]
    }

    func read(_ file: [UInt8]) async throws -> [UInt8] { try await stream().collect(upTo: Int(size)) }

    func digest(of file: [UInt8]) async throws -> SHA256Digest { try await stream().digest() }
}

extension ByteStream {
    /// SHA-256 of everything that the stream yields.
    fileprivate func digest() async throws -> SHA256Digest {
        var hash = SHA256()
        for try await piece in self { hash.update(piece) }
        return hash.finish()
    }
}
