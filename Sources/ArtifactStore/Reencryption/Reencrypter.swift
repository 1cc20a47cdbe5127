import Cryptography
import Synchronization

/// Reads content through its capabilities and stores it anew in the domain of another session. Blocks; belongs on the
/// store's threads, of which it uses as many as are free.
struct Reencrypter: Sendable {
    let old: ReadContext
    let session: IngestSession
    let control: JobControl

    func run(_ root: VersionRoot) throws -> VersionRoot {
        switch root.content {
        case .blob(let content): VersionRoot(.blob(try file(content)))
        case .tree(let content): VersionRoot(.tree(try directory(content)))
        }
    }

    private func directory(_ content: DirectoryContent) throws -> DirectoryContent {
        let entries = try old.entries(content)
        let made = Mutex([TreeEntry?](repeating: nil, count: entries.count))
        try session.pool.forEach(entries.count) { index in
            var entry = entries[index]
            switch entry.content {
            case .file(let content): entry.content = .file(try file(content))
            case .directory(let content): entry.content = .directory(try directory(content))
            case .symlink: break
            }
            let done = entry
            made.withLock { $0[index] = done }
        }
        let result = try TreeBuilder.store(made.withLock { $0.compactMap { $0 } }, session)
        guard result.treeID == content.treeID else { throw FormatError("a directory came out as another one") }
        return result
    }

    private func file(_ content: FileContent) throws -> FileContent {
        if case .inline = content { return content }
        if let known = try known(content) { return known }
        let builder = ContentBuilder(session)
        let reader = ContentReader(old, content, range: 0..<content.byteCount)
        while let piece = try reader.next() {
            try control.took(piece.count)
            try piece.withUnsafeBytes { try builder.add($0) }
        }
        let result = try builder.finish()
        guard result.digest == content.digest, result.byteCount == content.byteCount else {
            throw FormatError("its content is not what its name says")
        }
        return result
    }

    /// A file that is in the new domain already, since a version that was stored anew before has it.
    private func known(_ content: FileContent) throws -> FileContent? {
        try control.check()
        let (digest, count) = (content.digest, content.byteCount)
        if let crc = content.crc32, count <= Int64(session.cutter.maximum) {
            let id = session.domain.recordID(digest, count: count)
            if let location = try session.find(id), location.kind == .chunk {
                let key = session.domain.recordKey(digest, count: count)
                return .chunk(Ref(count: Int(count), digest: digest, id: id, key: key, crc: crc))
            }
        }
        return try session.knownFile(digest, count: count)
    }
}

/// Files that were read back and found right since the job began, by where they are stored.
final class VerifiedFiles: Sendable {
    private let names = Mutex<Set<SHA256Digest>>([])
    private static let countMax = 1 << 20

    private static func name(_ content: FileContent) -> SHA256Digest {
        var writer = CanonicalWriter()
        writer.content(content)
        return SHA256.digest(writer.bytes)
    }

    func contains(_ content: FileContent) -> Bool {
        let name = Self.name(content)
        return names.withLock { $0.contains(name) }
    }

    func insert(_ content: FileContent) {
        let name = Self.name(content)
        names.withLock { names in
            if names.count >= Self.countMax { names.removeAll() }
            names.insert(name)
        }
    }
}

/// Reads back what was stored anew, from where it is stored, and compares it with the hashes of what it replaces.
struct ReencryptionCheck: Sendable {
    let new: ReadContext
    let control: JobControl
    let verified: VerifiedFiles

    func run(_ root: VersionRoot, replacing old: VersionRoot) throws {
        guard root.contentID == old.contentID else { throw FormatError("its content came out as another one") }
        switch root.content {
        case .blob(let content): try file(content)
        case .tree(let content): try directory(content)
        }
    }

    private func directory(_ content: DirectoryContent) throws {
        // Compares the names, modes and hashes of the entries with the Merkle root.
        let entries = try new.entries(content)
        try new.pool.forEach(entries.count) { index in
            switch entries[index].content {
            case .file(let content): try file(content)
            case .directory(let content): try directory(content)
            case .symlink: break
            }
        }
    }

    private func file(_ content: FileContent) throws {
        if case .inline = content { return }
        if verified.contains(content) { return try control.check() }
        var hash = SHA256()
        let reader = ContentReader(new, content, range: 0..<content.byteCount)
        while let piece = try reader.next() {
            try control.took(piece.count)
            hash.update(piece)
        }
        guard hash.finish() == content.digest else { throw FormatError("it reads back as something else") }
        verified.insert(content)
    }
}
