import Archives

/// A directory as one ZIP: layout known from sizes alone, payloads spliced from stored fragments.
///
/// A member whose chunks are all stored is stored; otherwise it is a deflate stream made of the chunks' fragments as they
/// are, with literals and incompressible chunks as stored blocks, closed by an empty final block. What the chunks are is
/// kept where members are few; else it is read from the tree again when payloads are.
final class ZipPlan: Sendable {
    let layout: ZipLayout
    let shape: ZipShape
    /// The payload of each member, targets of symlinks included; nil when that is too much to keep.
    private let contents: PackedEntries?
    /// The directory's own entries.
    let root: DirectoryListing

    /// Contents are kept while they take at most so many bytes: those of hundreds of thousands of files.
    private static let heldBytesMaximum = 32 << 20
    /// So many stay values.
    private static let looseMaximum = 16_384

    /// Reads trees, nodes and the index, no chunk. Blocks. Throws what ``ZipShape`` throws.
    init(_ context: ReadContext, _ directory: DirectoryContent, heldBytesMaximum: Int = heldBytesMaximum) throws {
        var layout = ZipLayout()
        var contents: PackedEntries? = PackedEntries()
        root = try context.listing(directory)
        shape = try ZipShape(context, root) { member, encodings, content throws(ArchiveError) in
            try layout.append(member, mark: encodings.value)
            contents?.append(content: content, loosely: layout.count <= Self.looseMaximum)
            if let held = contents?.byteCount, held > heldBytesMaximum { contents = nil }
        }
        self.layout = layout
        self.contents = contents
    }

    /// The content of a member, of a symlink its target; nil when it is not kept.
    func content(of member: Int) throws -> FileContent? {
        switch try contents?.entry(member).content {
        case .file(let content): return content
        case .symlink(let target): return .inline(target)
        case .directory, nil: return nil
        }
    }
}

extension PackedEntries {
    /// Adds what a member has for a payload; a directory has none.
    fileprivate mutating func append(content: TreeEntry.Content, loosely: Bool) {
        var entry = TreeEntry(name: [], mode: 0, content: content)
        if case .directory = content { entry.content = .symlink([]) }
        append(entry, loosely: loosely)
    }
}
