public import Cryptography
public import KeyHierarchy
import Synchronization
public import SystemPackage

/// Content on its way into the store. Nothing is visible before `ArtifactStore.publish`; what is abandoned is collected.
public final class Ingest: Sendable {
    /// Whose content it will be.
    public let scope: AccountRegion
    /// The key that will protect it.
    public let key: StoreKeyReference
    let session: IngestSession
    let lease: Lease
    /// What the content will be published as, as far as deduplication depends on it.
    let place: Place

    /// A repository and an artifact of it; nil where it was not said.
    struct Place: Sendable, Hashable {
        var repository: String?
        var artifact: String?
    }

    init(scope: AccountRegion, key: StoreKeyReference, place: Place = Place(), session: IngestSession, lease: Lease) {
        self.scope = scope
        self.key = key
        self.place = place
        self.session = session
        self.lease = lease
    }

    /// Stores a directory with everything below it: modes, symlinks and empty directories included, times not.
    ///
    /// - Parameter include: asked for every path below the directory (`/` between names); what it refuses is left out,
    ///   directories with all that they contain.
    /// - Throws: `StoreError` when something cannot be read or is neither file, directory nor symlink.
    public func addDirectory(
        _ path: FilePath, include: (@Sendable (_ path: String, _ isDirectory: Bool) -> Bool)? = nil
    ) async throws -> StagedContent {
        let walk = DirectoryIngest(session, include: include)
        let directory = try await session.pool.run { try walk.run(path.string) }
        let counted = walk.counted
        return StagedContent(
            ingest: self, root: VersionRoot(.tree(directory)), logicalBytes: counted.bytes, fileCount: counted.files)
    }

    /// Begins a run of bytes, such as an uploaded ZIP, kept byte for byte.
    public func openBlob() async throws -> BlobWriter { BlobWriter(self) }

    /// Stores bytes that are in memory.
    public func addBlob(_ bytes: [UInt8]) async throws -> StagedContent {
        let writer = try await openBlob()
        try await writer.write(bytes)
        return try await writer.finish()
    }

    /// Begins a directory that is given file by file.
    public func openTree() async throws -> TreeWriting { TreeWriting(self) }

    /// Gives up: the lease ends and what was written may be collected.
    public func abandon() { lease.end() }
}

/// Content that is stored but not yet published.
public struct StagedContent: Sendable {
    let ingest: Ingest
    let root: VersionRoot
    /// Bytes of all files.
    public let logicalBytes: Int64
    /// Files and symlinks.
    public let fileCount: Int
    /// The entries of a small directory, which publishing then need not decode again.
    let listing: [TreeEntry]?

    /// Directories of more entries are decoded when they are needed.
    static let listingMaximum = 64

    init(ingest: Ingest, root: VersionRoot, logicalBytes: Int64, fileCount: Int, listing: [TreeEntry]? = nil) {
        self.ingest = ingest
        self.root = root
        self.logicalBytes = logicalBytes
        self.fileCount = fileCount
        self.listing = listing
    }

    /// Bytes of the version's sealed manifest if that holds content itself: no other version shares it.
    var manifestContentBytes: Int64 {
        root.holdsContent ? Int64(RootManifest.sealedBytes(root.encode().count)) : 0
    }

    /// The records that the root leads to in one step.
    func refs() throws -> [Ref] {
        guard let listing, case .tree(let directory) = root.content, case .inline = directory.place else {
            return try root.refs()
        }
        let refs = try TreeObject.entries(listing).refs()
        return refs.stable + refs.volatile
    }

    /// Directory or bytes.
    public var rootKind: Version.RootKind { root.kind }
    /// SHA-256 of a blob, Merkle root of a directory.
    public var contentID: SHA256Digest { root.contentID }
}

/// Takes a stream of bytes. One caller at a time; memory is bounded whatever the length.
public final class BlobWriter: Sendable {
    private let ingest: Ingest
    private let box: Mutex<BuilderBox>

    /// Carries the builder between the store's threads.
    private struct BuilderBox: @unchecked Sendable {
        // Proof: the builder is used only while the lock around the box is held.
        var builder: ContentBuilder?
        var count: Int64 = 0
    }

    init(_ ingest: Ingest) {
        self.ingest = ingest
        box = Mutex(BuilderBox(builder: ContentBuilder(ingest.session)))
    }

    /// Takes the next bytes; returns when there is room for more.
    public func write(_ bytes: [UInt8]) async throws {
        if bytes.isEmpty { return }
        try await ingest.session.run(storing: bytes.count) { [self] in
            try box.withLock { box in
                guard let builder = box.builder else { throw StoreError.invalid("the blob is complete already") }
                box.count += Int64(bytes.count)
                do {
                    try bytes.withUnsafeBytes { try builder.add($0) }
                } catch {
                    box.builder = nil
                    throw error
                }
            }
        }
    }

    /// What was written so far as the content of a file of its own; the stream goes on all the same.
    func beginning() async throws -> FileContent? {
        try await ingest.session.pool.run { [self] in try box.withLock { try $0.builder?.beginning() } }
    }

    /// Ends the stream.
    public func finish() async throws -> StagedContent {
        try await ingest.session.pool.run { [self] in
            try box.withLock { box in
                guard let builder = box.builder else { throw StoreError.invalid("the blob is complete already") }
                box.builder = nil
                let content = try builder.finish()
                return StagedContent(
                    ingest: ingest, root: VersionRoot(.blob(content)), logicalBytes: box.count, fileCount: 1)
            }
        }
    }
}
