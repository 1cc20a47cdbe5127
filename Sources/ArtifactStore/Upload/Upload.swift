import Cryptography

/// An upload whose sender names everything before sending it, and sends only what the store asks for.
///
/// The store answers "not needed" for two kinds of content only: what this upload has received already, and what versions
/// hold that the sender may read. Whatever else the store may have is asked for all the same, so nobody learns from the
/// answers that content exists, and nobody gets at content by knowing its hash. Received content is hashed again before it
/// is used.
///
/// An upload outlives connections: what was received stays, and ``restart()`` begins the naming anew without forgetting it.
/// Nothing is visible before the result of ``finish()`` is published. One call at a time; a second one is refused.
///
/// Memory: some tens of bytes for each content received, and the entries that wait for content; few when a sender sends what
/// was asked for before it names more.
public actor Upload {
    /// A whole small file.
    public struct SmallFile: Sendable {
        /// Which of the offered entries it is.
        public let index: Int
        /// All of its bytes.
        public let bytes: [UInt8]

        /// A file with its content.
        public init(index: Int, bytes: [UInt8]) {
            self.index = index
            self.bytes = bytes
        }
    }

    /// Seeds the cutting of ``pieces(of:)``; the sender needs it to compare.
    public nonisolated let seed = SecureRandom.bytes(32)
    /// Directory or bytes.
    public nonisolated let kind: Version.RootKind
    /// Files below this size are sent whole rather than compared.
    public static let comparedBytesMinimum: Int64 = 64 << 10
    /// Entries of one upload, at most.
    public static let entriesMaximum = 4_000_000

    let ingest: Ingest
    /// The key that will protect it.
    public nonisolated var key: StoreKeyReference { ingest.key }
    let basis: UploadBasis
    let checkpoint: UploadCheckpoint?
    /// What an upload of the same name had received before the server was restarted.
    let earlier: UploadCheckpoint.Earlier
    /// Contents received that no checkpoint names yet.
    var unsaved = PackedEntries()
    var tree: TreeWriting
    /// The content of an upload that is a run of bytes.
    private var blob: FileContent?
    var ledger = UploadLedger()
    var partial: Partial?
    var isBusy = false

    /// A file of which only a beginning has been received.
    struct Partial {
        var index: Int
        var name: ContentName
        var writer: BlobWriter
        var count: Int64 = 0
    }

    init(
        _ ingest: Ingest, kind: Version.RootKind, basis: UploadBasis, checkpoint: UploadCheckpoint? = nil,
        earlier: UploadCheckpoint.Earlier = UploadCheckpoint.Earlier()
    ) {
        self.ingest = ingest
        self.checkpoint = checkpoint
        self.earlier = earlier
        self.kind = kind
        self.basis = basis
        tree = TreeWriting(ingest)
    }

    /// Gives up: the lease ends and what was received may be collected.
    public nonisolated func abandon() { ingest.abandon() }

    /// Forgets what was kept for the case of a restart: the upload was published, or will not be.
    public func forget() async throws { try await checkpoint?.forget() }

    /// Forgets which entries were named, for a sender that begins anew; keeps what was received.
    public func restart() throws {
        try enter()
        defer { isBusy = false }
        tree = TreeWriting(ingest)
        blob = nil
        ledger.restart()
    }

    func enter() throws {
        // An actor lets others in at every await; two senders at once would mix their files.
        guard !isBusy else { throw StoreError(.conflict, "another request for this upload is under way") }
        isBusy = true
    }

    /// Puts an entry that has no content of its own into its place.
    func place(_ entry: UploadEntry) async throws {
        guard kind == .tree else { throw StoreError.invalid("this upload consists of one file") }
        switch entry.content {
        case .directory: if !entry.path.isEmpty { try await tree.addDirectory(entry.path, mode: entry.mode) }
        case .symlink(let target): try await tree.addSymlink(entry.path, target: target)
        case .file: break
        }
    }

    func place(_ content: FileContent, _ entry: UploadEntry) throws {
        if kind == .tree { return try tree.add(entry.path, mode: entry.mode & 0o777, .file(content)) }
        guard blob == nil else { throw StoreError.invalid("this upload consists of one file") }
        blob = content
    }

    /// What is needed still, after a connection was cut.
    public func needs() throws -> UploadNeeds {
        try enter()
        defer { isBusy = false }
        var needs = ledger.needs
        if let partial, (try? ledger.name(partial.index)) == partial.name {
            needs.begun[partial.index] = partial.count
        }
        return needs
    }

    /// Completes the content.
    ///
    /// - Throws: `StoreError` with `.invalid` while content is lacking.
    public func finish() async throws -> StagedContent {
        try enter()
        defer { isBusy = false }
        let lacking = ledger.lackingCount
        guard lacking == 0 else { throw StoreError.invalid("the upload lacks the content of \(lacking) files") }
        if kind == .tree { return try await tree.finish() }
        guard let blob else { throw StoreError.invalid("the upload consists of one file, which was not named") }
        return StagedContent(
            ingest: ingest, root: VersionRoot(.blob(blob)), logicalBytes: blob.byteCount, fileCount: 1)
    }
}
