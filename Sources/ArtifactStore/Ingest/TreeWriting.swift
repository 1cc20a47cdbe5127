import Synchronization

/// A directory that is given file by file, in any order. Thread-safe. Memory is bounded whatever the number of files when
/// those of a directory come together; a directory's own entries are held until it ends.
public final class TreeWriting: Sendable {
    private let ingest: Ingest
    private let tree: Mutex<GrowingTree>
    private let waiting = Mutex(Waiting())

    /// Small files wait for each other, so that a thread is woken for many of them and not for each.
    private static let waitingBytesMaximum = 1 << 20
    private static let waitingCountMaximum = 256
    /// A batch below this size is not worth a second thread.
    private static let sharedBytesMinimum = 256 << 10
    /// About how many bytes an entry of a directory has.
    private static let entryBytes = 300
    /// Directories that ended are stored when what is held is larger.
    private static let heldBytesMaximum = 8 << 20

    private struct Waiting {
        var files: [SmallFile] = []
        var bytes = 0

        mutating func take() -> [SmallFile] {
            defer { self = Waiting() }
            return files
        }
    }

    /// A file whose bytes have not been stored yet.
    private struct SmallFile: Sendable {
        var path: [UInt8]
        var mode: UInt32
        var bytes: [UInt8]
    }

    init(_ ingest: Ingest, heldBytesMaximum: Int = heldBytesMaximum) {
        self.ingest = ingest
        tree = Mutex(GrowingTree(limit: heldBytesMaximum))
    }

    /// Adds a file that is in memory. Small ones are stored together, at the latest by ``finish()``.
    public func addFile(_ path: [UInt8], mode: UInt32, _ bytes: [UInt8]) async throws {
        guard try !Self.names(path).isEmpty else { throw StoreError.invalid("a file needs a name") }
        let batch = waiting.withLock { waiting -> [SmallFile]? in
            waiting.files.append(SmallFile(path: path, mode: mode & 0o777, bytes: bytes))
            waiting.bytes += bytes.count
            guard waiting.bytes >= Self.waitingBytesMaximum || waiting.files.count >= Self.waitingCountMaximum
            else { return nil }
            return waiting.take()
        }
        guard let batch else { return }
        try await ingest.session.pool.run { [self] in try store(batch) }
    }

    /// Stores files and adds them. Blocks.
    private func store(_ batch: [SmallFile]) throws {
        let session = ingest.session
        let contents: [FileContent?]
        if batch.reduce(0, { $0 + $1.bytes.count }) < Self.sharedBytesMinimum {
            contents = try batch.map { try $0.bytes.withUnsafeBytes { try session.ingest($0) } }
        } else {
            let results = Mutex([FileContent?](repeating: nil, count: batch.count))
            try session.pool.forEach(batch.count) { index in
                let content = try batch[index].bytes.withUnsafeBytes { try session.ingest($0) }
                results.withLock { $0[index] = content }
            }
            contents = results.withLock { $0 }
        }
        for (file, content) in zip(batch, contents) {
            if let content { try add(file.path, mode: file.mode, .file(content)) }
        }
        try tree.withLock { if $0.isFull { try $0.storeEnded(session) } }
    }

    /// Stores directories that ended, if too much is held. Follows what ``add(_:mode:_:)`` added.
    func settle() async throws {
        guard tree.withLock({ $0.isFull }) else { return }
        try await ingest.session.pool.run { [self] in
            try tree.withLock { if $0.isFull { try $0.storeEnded(ingest.session) } }
        }
    }

    /// Adds a file from a stream.
    public func addFile(_ path: [UInt8], mode: UInt32, _ bytes: some AsyncSequence<[UInt8], any Error>) async throws {
        let writer = BlobWriter(ingest)
        for try await piece in bytes { try await writer.write(piece) }
        guard case .blob(let content) = try await writer.finish().root.content else { return }
        try add(path, mode: mode & 0o777, .file(content))
        try await settle()
    }

    /// Adds a symlink.
    public func addSymlink(_ path: [UInt8], target: [UInt8]) async throws {
        try add(path, mode: 0o777, .symlink(target))
        try await settle()
    }

    /// Adds a directory, which need not be done for directories that contain something.
    public func addDirectory(_ path: [UInt8], mode: UInt32 = 0o755) async throws {
        let names = try Self.names(path)
        try tree.withLock { try $0.addDirectory(names, mode: mode & 0o777, ingest.session) }
        try await settle()
    }

    /// Adds content that is stored already.
    func add(_ path: [UInt8], mode: UInt32, _ content: TreeEntry.Content) throws {
        let names = try Self.names(path)
        try tree.withLock { try $0.add(names, mode: mode, content, ingest.session) }
    }

    private static func names(_ path: [UInt8]) throws -> [[UInt8]] {
        guard path.first != 0x2F else {
            throw StoreError.invalid(
                "\(String(decoding: path, as: UTF8.self)) is an absolute path; entries have paths within the directory")
        }
        let names = path.split(separator: 0x2F, omittingEmptySubsequences: true).map(Array.init)
        for name in names where !TreeObject.isValidName(name) {
            throw StoreError.invalid("\(String(decoding: path, as: UTF8.self)) is not a path within a directory")
        }
        return names
    }

    /// Completes the directory. Throws `StoreError` when a name was given twice.
    public func finish() async throws -> StagedContent {
        let waitingBytes = waiting.withLock { $0.bytes + $0.files.count * Self.entryBytes }
        let bytes = waitingBytes + tree.withLock { $0.files } * Self.entryBytes
        return try await ingest.session.run(storing: bytes) { [self] in
            try store(waiting.withLock { $0.take() })
            let tree = tree.withLock { $0 }
            let entries = try tree.entries(ingest.session)
            let directory = try TreeBuilder.store(entries, ingest.session)
            return StagedContent(
                ingest: ingest, root: VersionRoot(.tree(directory)), logicalBytes: tree.bytes, fileCount: tree.files,
                listing: try entries.listing(upTo: StagedContent.listingMaximum))
        }
    }
}
