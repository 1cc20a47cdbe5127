import Synchronization

/// A directory that is given file by file, in any order. Thread-safe.
public final class TreeWriting: Sendable {
    private let ingest: Ingest
    private let state = Mutex(State())

    /// Small files wait for each other, so that a thread is woken for many of them and not for each.
    private static let waitingBytesMaximum = 1 << 20
    private static let waitingCountMaximum = 256
    /// A batch below this size is not worth a second thread.
    private static let sharedBytesMinimum = 256 << 10
    /// About how many bytes an entry of a directory has.
    private static let entryBytes = 300

    private struct State {
        var root = Node()
        var files = 0
        var bytes: Int64 = 0
        var waiting: [SmallFile] = []
        var waitingBytes = 0
    }

    /// A file whose bytes have not been stored yet.
    private struct SmallFile: Sendable {
        var path: [UInt8]
        var mode: UInt32
        var bytes: [UInt8]
    }

    private struct Node: Sendable {
        var mode: UInt32 = 0o755
        var children: [[UInt8]: Child] = [:]
    }

    private indirect enum Child: Sendable {
        case directory(Node)
        case leaf(TreeEntry)
    }

    init(_ ingest: Ingest) { self.ingest = ingest }

    /// Adds a file that is in memory. Small ones are stored together, at the latest by ``finish()``.
    public func addFile(_ path: [UInt8], mode: UInt32, _ bytes: [UInt8]) async throws {
        guard try !Self.names(path).isEmpty else { throw StoreError.invalid("a file needs a name") }
        let batch = state.withLock { state -> [SmallFile]? in
            state.waiting.append(SmallFile(path: path, mode: mode & 0o777, bytes: bytes))
            state.waitingBytes += bytes.count
            guard state.waitingBytes >= Self.waitingBytesMaximum || state.waiting.count >= Self.waitingCountMaximum
            else { return nil }
            return Self.takeWaiting(&state)
        }
        guard let batch else { return }
        try await ingest.session.pool.run { [self] in try store(batch) }
    }

    private static func takeWaiting(_ state: inout State) -> [SmallFile] {
        defer {
            state.waiting = []
            state.waitingBytes = 0
        }
        return state.waiting
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
    }

    /// Adds a file from a stream.
    public func addFile(_ path: [UInt8], mode: UInt32, _ bytes: some AsyncSequence<[UInt8], any Error>) async throws {
        let writer = BlobWriter(ingest)
        for try await piece in bytes { try await writer.write(piece) }
        guard case .blob(let content) = try await writer.finish().root.content else { return }
        try add(path, mode: mode & 0o777, .file(content))
    }

    /// Adds a symlink.
    public func addSymlink(_ path: [UInt8], target: [UInt8]) async throws {
        try add(path, mode: 0o777, .symlink(target))
    }

    /// Adds a directory, which need not be done for directories that contain something.
    public func addDirectory(_ path: [UInt8], mode: UInt32 = 0o755) async throws {
        let names = try Self.names(path)
        try state.withLock { try Self.insert(names[...], into: &$0.root, directoryMode: mode & 0o777, leaf: nil) }
    }

    /// Adds content that is stored already.
    func add(_ path: [UInt8], mode: UInt32, _ content: TreeEntry.Content) throws {
        let names = try Self.names(path)
        guard let name = names.last else { throw StoreError.invalid("a file needs a name") }
        try state.withLock { state in
            let entry = TreeEntry(name: name, mode: mode, content: content)
            try Self.insert(names[...], into: &state.root, directoryMode: nil, leaf: entry)
            state.files += 1
            if case .file(let file) = content { state.bytes += file.byteCount }
        }
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

    private static func insert(
        _ names: ArraySlice<[UInt8]>, into node: inout Node, directoryMode: UInt32?, leaf: TreeEntry?
    ) throws {
        guard let name = names.first else {
            if let directoryMode { node.mode = directoryMode }
            return
        }
        let text = String(decoding: name, as: UTF8.self)
        if names.count == 1, let leaf {
            guard node.children[name] == nil else { throw StoreError.invalid("\(text) appears twice") }
            node.children[name] = .leaf(leaf)
            return
        }
        var child = Node()
        switch node.children[name] {
        case .leaf: throw StoreError.invalid("\(text) is both a file and a directory")
        case .directory(let existing): child = existing
        case nil: break
        }
        // Moved out while it is changed, so that it is not copied.
        node.children[name] = nil
        try insert(names.dropFirst(), into: &child, directoryMode: directoryMode, leaf: leaf)
        node.children[name] = .directory(child)
    }

    /// Completes the directory.
    public func finish() async throws -> StagedContent {
        let bytes = state.withLock { $0.waitingBytes + ($0.waiting.count + $0.files) * Self.entryBytes }
        return try await ingest.session.run(storing: bytes) { [self] in
            try store(state.withLock { Self.takeWaiting(&$0) })
            let (root, files, bytes) = state.withLock { ($0.root, $0.files, $0.bytes) }
            let entries = try Self.entries(root, ingest.session)
            let directory = try TreeBuilder.store(entries, ingest.session)
            return StagedContent(
                ingest: ingest, root: VersionRoot(.tree(directory)), logicalBytes: bytes, fileCount: files,
                listing: entries)
        }
    }

    /// The entries of a directory, those below it stored.
    private static func entries(_ node: Node, _ session: IngestSession) throws -> [TreeEntry] {
        var entries: [TreeEntry] = []
        entries.reserveCapacity(node.children.count)
        for name in node.children.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            switch node.children[name] {
            case .leaf(let entry): entries.append(entry)
            case .directory(let child):
                entries.append(
                    TreeEntry(
                        name: name, mode: child.mode,
                        content: .directory(try TreeBuilder.store(try self.entries(child, session), session))))
            case nil: break
            }
        }
        return entries
    }
}
