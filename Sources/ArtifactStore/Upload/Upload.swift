import Cryptography
public import KeyHierarchy
import Synchronization

/// An upload whose sender names everything before sending anything, and sends only what the store asks for.
///
/// The store answers "not needed" for two kinds of content only: what this upload has received already, and what versions
/// hold that the sender may read. Whatever else the store may have is asked for all the same, so nobody learns from the
/// answers that content exists, and nobody gets at content by knowing its hash. Received content is hashed again before it
/// is used.
///
/// An upload outlives connections: what was received stays, and ``restart()`` begins the naming anew without forgetting it.
/// Nothing is visible before the result of ``finish()`` is published. One call at a time; a second one is refused.
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
    /// Entries of one upload, at most: all of them are in memory.
    public static let entriesMaximum = 4_000_000

    private let ingest: Ingest
    /// The key that will protect it.
    public nonisolated var key: StoreKeyReference { ingest.key }
    private let basis: UploadBasis
    private let checkpoint: UploadCheckpoint?
    /// What an upload of the same name had received before the server was restarted.
    private let earlier: UploadCheckpoint.Earlier
    /// Contents received that no checkpoint names yet.
    private var unsaved: [FileContent] = []
    private var tree: TreeWriting
    private var entryCount = 0
    /// The content of an upload that is a run of bytes.
    private var blob: FileContent?
    /// Entries that wait for content, by its name.
    private var waiting: [ContentName: [UploadEntry]] = [:]
    /// The names of needed contents by the number under which they were asked for.
    private var needed: [Int: ContentName] = [:]
    private var similar: [Int: UploadBasis.Found] = [:]
    private var received: [ContentName: FileContent] = [:]
    private var partial: Partial?
    private var isBusy = false

    /// A file of which only a beginning has been received.
    private struct Partial {
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
        entryCount = 0
        waiting = [:]
        needed = [:]
        similar = [:]
    }

    private func enter() throws {
        // An actor lets others in at every await; two senders at once would mix their files.
        guard !isBusy else { throw StoreError(.conflict, "another request for this upload is under way") }
        isBusy = true
    }

    // MARK: Naming

    /// Names the next entries; answers which of their contents must be sent.
    public func offer(_ entries: [UploadEntry]) async throws -> UploadNeeds {
        try enter()
        defer { isBusy = false }
        guard entryCount + entries.count <= Self.entriesMaximum else {
            throw StoreError.invalid("an upload names at most \(Self.entriesMaximum) entries")
        }
        var needs = UploadNeeds()
        let found = try await known(entries)
        for (position, entry) in entries.enumerated() {
            let index = entryCount
            entryCount += 1
            guard case .file(let digest, let count) = entry.content else {
                try await place(entry)
                continue
            }
            let name = ContentName(digest: digest, byteCount: count)
            if let content = received[name] ?? found[position] {
                try place(content, entry)
                try await tree.settle()
                continue
            }
            waiting[name, default: []].append(entry)
            guard waiting[name]?.count == 1 else { continue }
            needed[index] = name
            needs.files.append(index)
            if try await hasBegun(name) {
                partial?.index = index
                needs.begun[index] = partial?.count
            }
            if count >= Self.comparedBytesMinimum, let earlier = await earlier(entry.path) {
                similar[index] = earlier
                needs.similar.append(index)
            }
        }
        return needs
    }

    /// Whether the beginning of a file is there, from before a restart perhaps.
    private func hasBegun(_ name: ContentName) async throws -> Bool {
        if let partial { return partial.name == name }
        guard let checkpoint, let beginning = earlier.beginnings[name], beginning.byteCount < name.byteCount else {
            return false
        }
        let session = ingest.session
        guard try await session.pool.run({ try session.relies(on: beginning) }) else { return false }
        let writer = BlobWriter(ingest)
        let reader = ContentReader(checkpoint.context, beginning, range: 0..<beginning.byteCount)
        do {
            while let bytes = try await reader.pull() { try await writer.write(bytes) }
        } catch let error as StoreError where error.code == .integrity {
            return false  // Then all of it is sent.
        }
        partial = Partial(index: 0, name: name, writer: writer, count: beginning.byteCount)
        return true
    }

    /// The contents that need not be sent, by position.
    private func known(_ entries: [UploadEntry]) async throws -> [Int: FileContent] {
        let (basis, session, earlier) = (basis, ingest.session, earlier.contents)
        let names = entries.map { entry -> ContentName? in
            guard case .file(let digest, let count) = entry.content else { return nil }
            let name = ContentName(digest: digest, byteCount: count)
            return received[name] == nil ? name : nil
        }
        return try await session.pool.run {
            let results = Mutex([Int: FileContent]())
            try session.pool.forEach(entries.count) { index in
                guard let name = names[index] else { return }
                if let content = earlier[name], try session.relies(on: content) {
                    return results.withLock { $0[index] = content }
                }
                guard let found = basis.content(name, at: entries[index].path), let content = try session.adopt(found)
                else { return }
                results.withLock { $0[index] = content }
            }
            return results.withLock { $0 }
        }
    }

    private func earlier(_ path: [UInt8]) async -> UploadBasis.Found? {
        let basis = basis
        let found = try? await ingest.session.pool.run { basis.earlier(path) }
        return found.flatMap { $0.content.byteCount >= Self.comparedBytesMinimum ? $0 : nil }
    }

    private func place(_ entry: UploadEntry) async throws {
        guard kind == .tree else { throw StoreError.invalid("this upload consists of one file") }
        switch entry.content {
        case .directory: if !entry.path.isEmpty { try await tree.addDirectory(entry.path, mode: entry.mode) }
        case .symlink(let target): try await tree.addSymlink(entry.path, target: target)
        case .file: break
        }
    }

    private func place(_ content: FileContent, _ entry: UploadEntry) throws {
        if kind == .tree { return try tree.add(entry.path, mode: entry.mode & 0o777, .file(content)) }
        guard blob == nil else { throw StoreError.invalid("this upload consists of one file") }
        blob = content
    }

    // MARK: Receiving

    /// The pieces of the earlier state of a needed file, in order, for the sender to compare with its own. None when that
    /// state is damaged: the whole file is sent then, and heals what it shares with it.
    public func pieces(of index: Int) async throws -> [UploadPiece] {
        try enter()
        defer { isBusy = false }
        guard let found = similar[index] else {
            throw StoreError.invalid("there is no earlier state of entry \(index) to compare with")
        }
        let seed = seed
        return try await ingest.session.pool.run {
            var cutter = PieceCutter(seed: seed)
            var pieces: [UploadPiece] = []
            let reader = ContentReader(found.context, found.content, range: 0..<found.content.byteCount)
            do {
                while let bytes = try reader.next() {
                    bytes.withUnsafeBytes { cutter.feed($0) { piece, _ in pieces.append(piece) } }
                }
            } catch let error as StoreError where error.code == .integrity {
                return []
            }
            cutter.finish { piece, _ in pieces.append(piece) }
            return pieces
        }
    }

    /// Stores whole files, side by side.
    public func receive(_ files: [SmallFile]) async throws {
        try enter()
        defer { isBusy = false }
        let session = ingest.session
        let contents = try await session.pool.run {
            let results = Mutex([FileContent?](repeating: nil, count: files.count))
            try session.pool.forEach(files.count) { index in
                let content = try files[index].bytes.withUnsafeBytes { try session.ingest($0) }
                results.withLock { $0[index] = content }
            }
            return results.withLock { $0 }
        }
        for (file, content) in zip(files, contents) {
            if let content { try complete(file.index, content) }
        }
        try await tree.settle()
        try await saveIfDue(files.reduce(0) { $0 + $1.bytes.count })
    }

    /// So many bytes more are there: from time to time they are made to outlive a restart.
    private func saveIfDue(_ bytes: Int) async throws {
        guard let checkpoint, checkpoint.received(bytes) else { return }
        do {
            var beginning: (ContentName, FileContent)?
            if let partial, let content = try await partial.writer.beginning() { beginning = (partial.name, content) }
            try await checkpoint.save(unsaved, beginning: beginning)
            unsaved = []
        } catch let error as StoreError where error.code == .keyUnavailable {
            return  // Nothing is lost as long as the server runs; publishing will say that the key cannot be used.
        }
    }

    /// Begins a file, or goes on with it at `offset`, which is as much of it as was received before.
    public func open(_ index: Int, at offset: Int64) throws {
        try enter()
        defer { isBusy = false }
        let name = try name(index)
        if offset == 0 {
            partial = Partial(index: index, name: name, writer: BlobWriter(ingest))
            return
        }
        guard let partial, partial.name == name, partial.count == offset else {
            throw StoreError(.conflict, "of entry \(index) \(partial?.count ?? 0) bytes were received, not \(offset)")
        }
        self.partial?.index = index
    }

    /// Takes the next bytes of the file under way.
    public func write(_ bytes: [UInt8]) async throws {
        try enter()
        defer { isBusy = false }
        try await append(bytes)
    }

    /// Takes the next bytes of the file under way from its earlier state.
    public func copy(_ range: Range<Int64>) async throws {
        try enter()
        defer { isBusy = false }
        guard let index = partial?.index, let found = similar[index], range.lowerBound >= 0,
            range.upperBound <= found.content.byteCount
        else { throw StoreError.invalid("there is no earlier state of the file that has the bytes \(range)") }
        let reader = ContentReader(found.context, found.content, range: range)
        while let bytes = try await reader.pull() { try await append(bytes) }
    }

    private func append(_ bytes: [UInt8]) async throws {
        guard let partial else { throw StoreError.invalid("no file of the upload is under way") }
        guard partial.count + Int64(bytes.count) <= partial.name.byteCount else {
            self.partial = nil
            throw StoreError(.conflict, "entry \(partial.index) is longer than announced: it changed while it was sent")
        }
        do {
            try await partial.writer.write(bytes)
        } catch {
            self.partial = nil
            throw error
        }
        self.partial?.count += Int64(bytes.count)
        try await saveIfDue(bytes.count)
    }

    /// Ends the file under way.
    public func close() async throws {
        try enter()
        defer { isBusy = false }
        guard let partial else { throw StoreError.invalid("no file of the upload is under way") }
        self.partial = nil
        guard case .blob(let content) = try await partial.writer.finish().root.content else { return }
        try complete(partial.index, content)
        try await tree.settle()
    }

    private func name(_ index: Int) throws -> ContentName {
        guard let name = needed[index] else {
            throw StoreError.invalid("nobody asked for the content of entry \(index)")
        }
        return name
    }

    private func complete(_ index: Int, _ content: FileContent) throws {
        let name = try name(index)
        guard content.name == name else {
            throw StoreError(.conflict, "entry \(index) is not what was announced: it changed while it was sent")
        }
        for entry in waiting[name] ?? [] { try place(content, entry) }
        waiting[name] = nil
        needed[index] = nil
        similar[index] = nil
        received[name] = content
        if checkpoint != nil { unsaved.append(content) }
    }

    /// What is needed still, after a connection was cut.
    public func needs() throws -> UploadNeeds {
        try enter()
        defer { isBusy = false }
        var needs = UploadNeeds()
        needs.files = needed.keys.sorted()
        needs.similar = similar.keys.sorted()
        if let partial, needed[partial.index] == partial.name { needs.begun[partial.index] = partial.count }
        return needs
    }

    /// Completes the content.
    ///
    /// - Throws: `StoreError` with `.invalid` while content is lacking.
    public func finish() async throws -> StagedContent {
        try enter()
        defer { isBusy = false }
        guard waiting.isEmpty else {
            throw StoreError.invalid(
                "the upload lacks the content of \(waiting.values.reduce(0) { $0 + $1.count }) files")
        }
        if kind == .tree { return try await tree.finish() }
        guard let blob else { throw StoreError.invalid("the upload consists of one file, which was not named") }
        return StagedContent(
            ingest: ingest, root: VersionRoot(.blob(blob)), logicalBytes: blob.byteCount, fileCount: 1)
    }
}

extension ArtifactStore {
    /// Begins an upload of which only what is new is sent; parameters as in
    /// ``beginIngest(scope:keyID:repository:artifact:isSensitive:)``.
    ///
    /// - Parameter basis: versions that the sender may read, the most similar first. What they hold is not asked for. The
    ///   caller answers for the permission; versions whose key cannot be used do not count.
    /// - Parameter name: names the upload for whoever repeats it after a restart of the process: what was received under the
    ///   same name, key and place before, and was not collected since, is not asked for again. The caller answers for it
    ///   that only the same sender can use a name. Nil: nothing outlives the process.
    public func beginUpload(
        _ kind: Version.RootKind, scope: AccountRegion, keyID: String? = nil, repository: String? = nil,
        artifact: String? = nil, isSensitive: Bool = false, basis: [VersionID] = [], name: String? = nil
    ) async throws -> Upload {
        var versions: [OpenVersion] = []
        for id in basis {
            do {
                versions.append(try await open(id))
            } catch let error as StoreError
                where [.keyUnavailable, .notFound, .integrity].contains(error.code)
            {
                continue  // Then its content is sent.
            }
        }
        let ingest = try await beginIngest(
            scope: scope, keyID: keyID, repository: repository, artifact: artifact, isSensitive: isSensitive)
        guard let name else { return Upload(ingest, kind: kind, basis: UploadBasis(versions)) }
        let checkpoint = UploadCheckpoint(
            self, ingest, name: name, repository: repository ?? "", artifact: artifact ?? "")
        return Upload(
            ingest, kind: kind, basis: UploadBasis(versions), checkpoint: checkpoint,
            earlier: try await checkpoint.earlier())
    }
}
