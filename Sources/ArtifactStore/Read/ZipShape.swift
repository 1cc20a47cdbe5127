import Archives
import Compression
import Cryptography

/// What determines the bytes of a directory's ZIP besides the content itself, found in one walk that keeps no entry.
struct ZipShape: Sendable {
    /// A digest of lengths, and of how each chunk is encoded. Two encodings of one content that happen to have the same
    /// length give different digests.
    let digest: SHA256Digest
    /// The digest that earlier programs wrote, of lengths only.
    let earlierDigest: SHA256Digest
    /// What tells how all chunks are encoded, whatever domain they are in; only when it was asked for.
    private let unmasked: EncodingsMark?

    /// Walks the tree; reads trees, nodes and the index, no chunk. Blocks.
    ///
    /// - Parameters:
    ///   - isForComparison: prepares ``isSame(as:)``, at the cost of a derivation for each chunk.
    ///   - take: is given every member in order, with what tells how its chunks are encoded, and where it comes from.
    /// - Throws: `StoreError` with `.invalid` when `take` refuses a member; what is damaged is told first.
    init(
        _ context: ReadContext, _ root: DirectoryListing, isForComparison: Bool = false,
        _ take: (ZipEntry, EncodingsMark, TreeEntry.Content) throws(ArchiveError) -> Void
    ) throws {
        var unmasked = isForComparison ? EncodingsMark() : nil
        var hash = ShapeHash()
        var problem: ArchiveError?
        var cursor = TreeCursor(context, root)
        while let (path, entry) = try cursor.next() {
            let (member, encodings) = try Self.member(context, path, entry, &unmasked)
            if problem != nil { continue }
            hash.add(member, encodings)
            do {
                try take(member, encodings, entry.content)
            } catch {
                problem = error
            }
        }
        if let problem { throw StoreError.invalid("\(context.subject) cannot be shown as a ZIP: \(problem)") }
        (digest, earlierDigest) = hash.finish()
        self.unmasked = unmasked
    }

    private static func member(
        _ context: ReadContext, _ path: [UInt8], _ entry: TreeEntry, _ unmasked: inout EncodingsMark?
    ) throws -> (ZipEntry, EncodingsMark) {
        let mode = UInt16(truncatingIfNeeded: entry.mode)
        switch entry.content {
        case .directory: return (.directory(path, permissions: mode), EncodingsMark())
        case .symlink(let target):
            let member = ZipEntry(
                name: path, permissions: 0o777, kind: .symlink, method: .stored, crc32: CRC32.checksum(target),
                compressedSize: Int64(target.count), uncompressedSize: Int64(target.count))
            return (member, EncodingsMark())
        case .file(let content):
            let shape = try MemberShape(context, content, &unmasked)
            let member = ZipEntry(
                name: path, permissions: mode, kind: .file, method: shape.isDeflate ? .deflate : .stored,
                crc32: shape.crc, compressedSize: shape.byteCount, uncompressedSize: content.byteCount)
            return (member, shape.encodings)
        }
    }

    /// Whether the ZIP of another walk, perhaps of another domain, has the same bytes. Both must be meant for comparison.
    func isSame(as other: ZipShape) -> Bool {
        guard let unmasked, unmasked == other.unmasked else { return false }
        return earlierDigest == other.earlierDigest
    }

    /// Whether a version's row is about this ZIP.
    func isRecorded(as shape: [UInt8]) -> Bool { shape == digest.bytes || shape == earlierDigest.bytes }
}

/// Computes the digests of a shape: the lengths of all members, then all their marks. The marks, of which most are a byte,
/// wait for the lengths to end.
private struct ShapeHash {
    private var lengths = CanonicalWriter()
    private var marks = CanonicalWriter()
    private var hash = SHA256()
    private var earlier = SHA256()

    private static let lengthsBytes = 16 << 10

    mutating func add(_ member: ZipEntry, _ encodings: EncodingsMark) {
        lengths.byte(member.method == .deflate ? 1 : 0)
        lengths.integer(UInt64(member.compressedSize))
        marks.integer(encodings.value)
        if lengths.bytes.count >= Self.lengthsBytes { flush() }
    }

    private mutating func flush() {
        hash.update(lengths.bytes)
        earlier.update(lengths.bytes)
        lengths = CanonicalWriter()
    }

    mutating func finish() -> (SHA256Digest, earlier: SHA256Digest) {
        flush()
        hash.update(marks.bytes)
        return (hash.finish(), earlier.finish())
    }
}
