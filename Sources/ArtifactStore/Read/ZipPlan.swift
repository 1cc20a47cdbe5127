import Archives

/// A directory as one ZIP: layout known from sizes alone, payloads spliced from stored fragments.
///
/// A member whose chunks are all stored is stored; otherwise it is a deflate stream made of the chunks' fragments as they
/// are, with literals and incompressible chunks as stored blocks, closed by an empty final block. What the chunks are is
/// kept where members are few; else it is read from the tree again when payloads are.
final class ZipPlan: Sendable {
    let layout: ZipLayout
    let shape: ZipShape
    /// The payload of each member, targets of symlinks included; nil when members are many.
    let contents: [FileContent?]?
    /// The directory's own entries.
    let root: DirectoryListing

    /// Contents are kept while they have at most so many parts together: some megabytes.
    private static let partsMaximum = 32_768

    /// Reads trees, nodes and the index, no chunk. Blocks. Throws what ``ZipShape`` throws.
    ///
    /// - Parameter partsMaximum: how many parts contents may have to be kept.
    init(_ context: ReadContext, _ directory: DirectoryContent, partsMaximum: Int = partsMaximum) throws {
        var layout = ZipLayout()
        var contents: [FileContent?]? = []
        var parts = 0
        root = try context.listing(directory)
        shape = try ZipShape(context, root) { member, encodings, content throws(ArchiveError) in
            try layout.append(member, mark: encodings.value)
            parts += 1
            switch content {
            case .directory: contents?.append(nil)
            case .symlink(let target): contents?.append(.inline(target))
            case .file(let file):
                if case .segments(let segments, _) = file { parts += segments.count }
                contents?.append(file)
            }
            if parts > partsMaximum { contents = nil }
        }
        self.layout = layout
        self.contents = contents
    }
}
