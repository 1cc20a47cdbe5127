import Synchronization

extension Upload {
    /// What a file counts beside its bytes when it is time for a checkpoint.
    private static let fileBytes = 64

    /// The pieces of the earlier state of a needed file, in order, for the sender to compare with its own. None when that
    /// state is damaged: the whole file is sent then, and heals what it shares with it.
    public func pieces(of index: Int) async throws -> [UploadPiece] {
        try enter()
        defer { isBusy = false }
        guard let found = ledger.earlier(of: index) else {
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
        try await saveIfDue(files.reduce(0) { $0 + $1.bytes.count + Self.fileBytes })
    }

    /// So many bytes more are there: from time to time they are made to outlive a restart.
    private func saveIfDue(_ bytes: Int) async throws {
        guard let checkpoint, checkpoint.received(bytes) else { return }
        do {
            var beginning: (ContentName, FileContent)?
            if let partial, let content = try await partial.writer.beginning() { beginning = (partial.name, content) }
            try await checkpoint.save(unsaved, beginning: beginning)
            unsaved = PackedEntries()
        } catch let error as StoreError where error.code == .keyUnavailable {
            return  // Nothing is lost as long as the server runs; publishing will say that the key cannot be used.
        }
    }

    /// Begins a file, or goes on with it at `offset`, which is as much of it as was received before.
    public func open(_ index: Int, at offset: Int64) throws {
        try enter()
        defer { isBusy = false }
        let name = try ledger.name(index)
        if offset == 0 {
            partial = Partial(index: index, name: name, writer: BlobWriter(ingest))
            return
        }
        guard let current = partial, current.name == name, current.count == offset else {
            throw StoreError(.conflict, "of entry \(index) \(partial?.count ?? 0) bytes were received, not \(offset)")
        }
        partial?.index = index
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
        guard let index = partial?.index, let found = ledger.earlier(of: index), range.lowerBound >= 0,
            range.upperBound <= found.content.byteCount
        else { throw StoreError.invalid("there is no earlier state of the file that has the bytes \(range)") }
        let reader = ContentReader(found.context, found.content, range: range)
        while let bytes = try await reader.pull() { try await append(bytes) }
    }

    private func append(_ bytes: [UInt8]) async throws {
        guard let current = partial else { throw StoreError.invalid("no file of the upload is under way") }
        guard current.count + Int64(bytes.count) <= current.name.byteCount else {
            partial = nil
            throw StoreError(.conflict, "entry \(current.index) is longer than announced: it changed while it was sent")
        }
        do {
            try await current.writer.write(bytes)
        } catch {
            partial = nil
            throw error
        }
        partial?.count += Int64(bytes.count)
        try await saveIfDue(bytes.count)
    }

    /// Ends the file under way.
    public func close() async throws {
        try enter()
        defer { isBusy = false }
        guard let current = partial else { throw StoreError.invalid("no file of the upload is under way") }
        partial = nil
        guard case .blob(let content) = try await current.writer.finish().root.content else { return }
        try complete(current.index, content)
        try await tree.settle()
    }

    private func complete(_ index: Int, _ content: FileContent) throws {
        for entry in try ledger.entries(awaiting: index, content) { try place(content, entry) }
        try ledger.complete(index, content)
        if checkpoint != nil { unsaved.append(TreeEntry(name: [], mode: 0, content: .file(content))) }
    }
}
