import Synchronization

extension Upload {
    /// Names the next entries; answers which of their contents must be sent.
    public func offer(_ entries: [UploadEntry]) async throws -> UploadNeeds {
        try enter()
        defer { isBusy = false }
        guard ledger.entryCount + entries.count <= Self.entriesMaximum else {
            throw StoreError.invalid("an upload names at most \(Self.entriesMaximum) entries")
        }
        var needs = UploadNeeds()
        let found = try await known(entries)
        for (position, entry) in entries.enumerated() {
            let index = ledger.number()
            guard case .file(let digest, let count) = entry.content else {
                try await place(entry)
                continue
            }
            let name = ContentName(digest: digest, byteCount: count)
            if let content = found[position] {
                try place(content, entry)
                try await tree.settle()
                continue
            }
            guard ledger.wait(entry, for: name, as: index) else { continue }
            needs.files.append(index)
            if try await hasBegun(name) {
                partial?.index = index
                needs.begun[index] = partial?.count
            }
            if count >= Self.comparedBytesMinimum, let earlier = await earlier(entry.path) {
                ledger.compare(index, with: earlier)
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
        let (basis, session, earlier, ledger) = (basis, ingest.session, earlier.contents, ledger)
        return try await session.pool.run {
            let results = Mutex([Int: FileContent]())
            try session.pool.forEach(entries.count) { index in
                guard case .file(let digest, let count) = entries[index].content else { return }
                let name = ContentName(digest: digest, byteCount: count)
                var content = try ledger.content(name)
                if content == nil, let before = try earlier[name], try session.relies(on: before) { content = before }
                if content == nil, let found = basis.content(name, at: entries[index].path) {
                    content = try session.adopt(found)
                }
                if let content { results.withLock { $0[index] = content } }
            }
            return results.withLock { $0 }
        }
    }

    private func earlier(_ path: [UInt8]) async -> UploadBasis.Found? {
        let basis = basis
        let found = try? await ingest.session.pool.run { basis.earlier(path) }
        return found.flatMap { $0.content.byteCount >= Self.comparedBytesMinimum ? $0 : nil }
    }
}
