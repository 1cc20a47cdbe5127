import Cryptography
import Synchronization

/// Copies content into another domain, record by record: every record is opened, checked and sealed under a new id and key.
/// Cuts and structure stay, so that whoever looks at the version sees no difference. Blocks.
final class Transcoder: Sendable {
    private let source: ReadContext
    private let session: IngestSession
    private let copiedIDs = Mutex<Set<RecordID>>([])

    init(source: ReadContext, session: IngestSession) {
        self.source = source
        self.session = session
    }

    /// The records that were copied, by their old ids.
    var replaced: Set<RecordID> { copiedIDs.withLock { $0 } }

    private func note(_ ref: Ref) { copiedIDs.withLock { _ = $0.insert(ref.id) } }

    func root(_ root: VersionRoot) throws -> VersionRoot {
        switch root.content {
        case .tree(let directory): VersionRoot(.tree(try self.directory(directory)))
        case .blob(let content): VersionRoot(.blob(try file(content)))
        }
    }

    private func directory(_ directory: DirectoryContent) throws -> DirectoryContent {
        if case .record(let ref, let volatile) = directory.place {
            note(ref)
            if case .record(let ref) = volatile { note(ref) }
        }
        let entries = try source.entries(directory).map { entry in
            var copy = entry
            switch entry.content {
            case .directory(let child): copy.content = .directory(try self.directory(child))
            case .file(let content): copy.content = .file(try file(content))
            case .symlink: break
            }
            return copy
        }
        return try TreeBuilder.store(entries, session)
    }

    private func file(_ content: FileContent) throws -> FileContent {
        switch content {
        case .inline: return content
        case .chunk(let ref): return .chunk(try chunk(ref))
        case .segments(let list, let digest): return .segments(try segments(list), digest)
        case .node(let ref, let count, let digest):
            let node = try copied(ref)
            return .node(
                try session.storeFileNode(
                    node.encode(), file: digest, count: count, reach: node.segments.compactMap { $0.ref?.id }),
                count, digest)
        }
    }

    /// A node with everything below it copied.
    private func copied(_ ref: Ref) throws -> NodeObject {
        note(ref)
        let node = try source.node(ref)
        return NodeObject(height: node.height, segments: try segments(node.segments))
    }

    private func segments(_ list: [Segment]) throws -> [Segment] {
        let result = Mutex(list)
        let (work, transcoder) = (list, self)
        try source.pool.forEach(work.count) { index in
            switch work[index] {
            case .literal: break
            case .chunk(let ref):
                let copy = try transcoder.chunk(ref)
                result.withLock { $0[index] = .chunk(copy) }
            case .node: break
            }
        }
        var copies = result.withLock { $0 }
        for (index, segment) in list.enumerated() {
            guard case .node(let ref, let count) = segment else { continue }
            let node = try copied(ref)
            let copy = try session.storeObject(
                node.encode(), kind: .node, reach: node.segments.compactMap { $0.ref?.id })
            copies[index] = .node(copy, count)
        }
        return copies
    }

    private func chunk(_ ref: Ref) throws -> Ref {
        note(ref)
        let bytes = try source.reader.plaintext(ref, source.domain)
        return try bytes.withUnsafeBytes { try session.storeChunk($0, digest: ref.digest) }
    }
}

extension ReadContext {
    /// Reads everything that a root leads to and compares every file with its digest. Blocks.
    func verify(_ root: VersionRoot) throws {
        switch root.content {
        case .tree(let directory): try verify(directory)
        case .blob(let content): try verify(content)
        }
    }

    private func verify(_ directory: DirectoryContent) throws {
        for entry in try entries(directory) {
            switch entry.content {
            case .directory(let child): try verify(child)
            case .file(let content): try verify(content)
            case .symlink: break
            }
        }
    }

    private func verify(_ content: FileContent) throws {
        let reader = ContentReader(self, content, range: 0..<content.byteCount)
        var hash = SHA256()
        while let piece = try reader.next() { piece.withUnsafeBytes { hash.update($0) } }
        guard hash.finish() == content.digest else { throw FormatError("a file is not what its digest says") }
    }
}
