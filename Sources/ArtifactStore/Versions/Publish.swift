import Archives
public import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Logging

extension Date {
    /// Since 1970; times beyond all calendars become the first or the last that fits.
    var milliseconds: Int64 {
        let value = (timeIntervalSince1970 * 1000).rounded(.down)
        return Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }
}

extension ArtifactStore {
    /// Publishes staged content as a version: durable bytes first, then ONE transaction that holds the version and
    /// whatever `also` adds. Before it nothing is visible; after it nothing can be lost.
    ///
    /// - Parameter also: runs in the transaction after the version's row exists; what it throws undoes everything.
    /// - Throws: `StoreError` (`.leaseExpired`: begin again; `.full`: nothing was changed), what `also` throws.
    @discardableResult
    public func publish(
        _ staged: StagedContent, _ draft: VersionDraft,
        also: @Sendable @escaping (Transaction, Version) throws -> Void = { _, _ in }
    ) async throws -> Version {
        let ingest = staged.ingest
        guard draft.scope == ingest.scope else {
            throw StoreError.invalid("the ingest was begun for another account or region")
        }
        guard isMeant(ingest.place, for: draft) else {
            throw StoreError.invalid("the ingest was begun for another \(configuration.scope.rawValue)")
        }
        var draft = draft
        draft.isSensitive = !ingest.session.compresses
        try Self.check(draft)
        let id = VersionID()
        // What stays in memory takes so little time that the beginning is as good a time as the end.
        let early = ingest.session.isInMemory ? now() : nil
        let (dataKey, wrapped) = try await keys.newDataKey(under: ingest.key, for: DataKeyBinding(id, draft))
        let expected = early.flatMap { expect(id, staged, draft, dataKey, at: $0.milliseconds) }
        let zip = try await presentation(staged)
        let outcome = ingest.session.outcome
        let durables = try await flushes.flush(outcome.touched.union(packs.unregisteredSealed))
        let prepared = PreparedVersion(
            id: id, draft: draft, staged: staged, dataKey: dataKey, wrapped: wrapped, zip: zip,
            newStoredBytes: outcome.newStoredBytes + staged.manifestContentBytes, createdAt: early ?? now(),
            summary: try VersionSummary.seal(staged.contentID, version: id, key: storageKeys.current),
            contentKey: contentKey(staged.contentID), roots: try staged.refs().flatMap { $0.id.bytes },
            expected: expected)
        let version = try await commit(outcome, durables, ingest.lease, at: prepared.createdAt) { [self] transaction in
            try requireLiveStorageKey(prepared.summary)
            try retiredDomains.check(prepared.staged.ingest.session.domain)
            let version = try prepared.insert(transaction)
            // What could not be made ahead is made again, and says why it cannot be.
            try versionLog.append(
                try? expected?.entry.value(), number: version.number, else: { Statement(version) },
                subject: VersionLog.subject(version.id), transaction)
            try also(transaction, version)
            return version
        }
        numbers.set(version.number, draft)
        await tidyUp()
        return version
    }

    /// Publishes once however often the same request is made, such as one whose answer was lost.
    ///
    /// - Parameter request: names the request: random, or a digest of what is. Remembered for a week.
    /// - Returns: the version, which may have been published by an earlier call.
    public func publish(_ staged: StagedContent, _ draft: VersionDraft, once request: String) async throws -> Version {
        let earlier = try await catalog.read {
            try $0.row("SELECT version FROM store_requests WHERE request = ?", request)?.string("version")
        }
        if let earlier, let id = VersionID(earlier) { return try await version(id) }
        let time = now().milliseconds
        return try await publish(staged, draft) { transaction, version in
            try transaction.execute("DELETE FROM store_requests WHERE at < ?", time - Self.requestsKept)
            // The name is a key of the table: of two at once one fails.
            try transaction.execute(
                "INSERT INTO store_requests (request, version, at) VALUES (?, ?, ?)", request, version.id.rawValue, time
            )
        }
    }

    /// How long requests are remembered, in milliseconds.
    private static let requestsKept: Int64 = 7 * 24 * 3600 * 1000

    /// Has another thread make what depends on a version's number and on its place in the log, if those can be guessed.
    private func expect(
        _ id: VersionID, _ staged: StagedContent, _ draft: VersionDraft, _ dataKey: SecretBytes, at time: Int64
    ) -> ExpectedVersion? {
        guard let number = numbers.next(draft) else { return nil }
        // Made here, so that the thread that signs it does not keep the ingest and its lease alive.
        let (root, statement) = (staged.root, Statement(id, number: number, draft, staged, at: time))
        let expected = ExpectedVersion(
            number: number,
            root: Ahead { try RootManifest.seal(root.encode(), dataKey: dataKey, version: id, number: number) },
            entry: Ahead { [versionLog] in
                try versionLog.entryAhead(statement, subject: VersionLog.subject(id))
            })
        pool.submit {
            expected.entry.run()
            expected.root.run()
        }
        return expected
    }

    /// Housekeeping after a commit. What fails here is tried again after the next one; the commit stands.
    func tidyUp() async {
        do {
            try await moveJournal()
            guard packs.index.isTailFull else { return }
            try await pool.run { [packs] in try packs.flushIndexIfNeeded() }
        } catch {
            log.warning("housekeeping after a commit failed", metadata: ["error": "\(error)"])
        }
    }

    /// The one transaction that makes an ingest's records known and, in `body`, writes what needs them.
    func commit<T: Sendable>(
        _ outcome: IngestSession.Outcome, _ durables: [PackWriter.Durable], _ lease: Lease, at time: Date,
        _ body: @Sendable @escaping (Transaction) throws -> T
    ) async throws -> T {
        let small =
            outcome.small.isEmpty ? nil : try JournalRow(packs.journal.takeNumber(), outcome.small, storageKeys)
        do {
            let (value, resurrected) = try await catalog.write { [self] transaction in
                guard leases.isValid(lease, at: now()) else {
                    throw StoreError(.leaseExpired, "the ingest took longer than its lease allows; begin again")
                }
                let reliedOn = outcome.touched.union(try packsOfHits(outcome.journalHits, transaction))
                var resurrected: [UInt32] = []
                if !durables.isEmpty || !reliedOn.isEmpty {
                    let epoch = try transaction.storeState("epoch")
                    try CommitPacks.register(durables, epoch: epoch, now: time.milliseconds, transaction)
                    resurrected = try CommitPacks.rely(on: reliedOn, epoch: epoch, transaction)
                }
                if let small {
                    try requireLiveStorageKey(small.contents)
                    try small.insert(transaction)
                }
                let value = try body(transaction)
                // Last, so that whoever sees the version finds its records. Should the commit fail all the same, nobody can
                // rely on them: `packsOfHits` asks the database.
                if let small { packs.journal.add(small.commit, small.records, packs.index) }
                return (value, resurrected)
            }
            packs.registered(durables)
            for number in resurrected { packs.table.update(number) { $0.state = .sealed } }
            return value
        } catch {
            guard let small else { throw error }
            // If the commit itself failed, its records must not be taken for stored ones.
            let isStored = try await catalog.read { try JournalRow.isStored(small.commit, $0) }
            if !isStored { packs.journal.drop(small.commit, small.records, packs.index) }
            throw error
        }
    }

    /// Makes sure that records which were found in the journal are ones that a commit completed. Returns the packs of those
    /// that were moved there since.
    private func packsOfHits(_ hits: Set<RecordID>, _ transaction: Transaction) throws -> Set<UInt32> {
        var stored: Set<Int64> = []
        var result: Set<UInt32> = []
        for id in hits {
            let commits = packs.journal.commits(of: id)
            if commits.contains(where: stored.contains) { continue }
            if let found = try commits.first(where: { try JournalRow.isStored($0, transaction) }) {
                stored.insert(found)
                continue
            }
            // It was moved into a pack, unless the commit that brought it was undone.
            guard let location = try packs.retrievable(id), location.pack != Location.journal else {
                throw StoreError(.leaseExpired, "content that this ingest relied on was collected; begin again")
            }
            result.insert(location.pack)
        }
        return result
    }

    private static func check(_ draft: VersionDraft) throws {
        for (what, text) in [("repository", draft.repository), ("artifact", draft.artifact)]
        where text.isEmpty || text.utf8.count > 1024 || text.utf8.contains(0) {
            throw StoreError.invalid(
                "the \(what) of a version has 1 to 1,024 bytes and no NUL; this one has \(text.utf8.count)")
        }
    }

    /// What a version's content is looked up by: a keyed hash, so that the database does not tell who has a known file.
    func contentKey(_ contentID: SHA256Digest) -> [UInt8] { contentKey(contentID, storageKeys.current.key) }

    func contentKey(_ contentID: SHA256Digest, _ storageKey: SecretBytes) -> [UInt8] {
        Derivation.secret(storageKey, "version/content", [contentID.bytes]).withUnsafeBytes { Array($0.prefix(16)) }
    }

    /// What versions of some content are looked up by: more than one key while a rotation of the storage key is unfinished.
    func contentKeys(_ contentID: SHA256Digest) -> [[UInt8]] { storageKeys.all.map { contentKey(contentID, $0) } }

    /// Refuses to commit what was sealed under a storage key that is being destroyed.
    func requireLiveStorageKey(_ summary: [UInt8]) throws {
        guard storageKeys.isRetired(try SealedEnvelope.version(of: summary)) else { return }
        throw StoreError(.leaseExpired, "the storage key was rotated and destroyed meanwhile; begin again")
    }

    /// Size, tag and shape of the ZIP view.
    func presentation(_ staged: StagedContent) async throws -> PreparedZip {
        let session = staged.ingest.session
        let context = ReadContext(
            reader: reader, pool: pool, domain: session.domain.records, session: session, subject: "the content")
        switch staged.root.content {
        case .blob(let content):
            return PreparedZip(
                byteCount: content.byteCount, etag: etag(content.digest, shape: [], number: 1), shape: [])
        case .tree(let directory):
            let measured: (byteCount: Int64, shape: ZipShape)?
            if staged.fileCount <= Self.lightFiles, session.isInMemory {
                measured = try Self.measureZip(context, directory, staged.listing)
            } else {
                measured = try await pool.run { try Self.measureZip(context, directory, staged.listing) }
            }
            guard let measured else {
                return PreparedZip(byteCount: 0, etag: etag(directory.treeID, shape: [], number: 0), shape: [])
            }
            let shape = measured.shape.digest.bytes
            return PreparedZip(
                byteCount: measured.byteCount, etag: etag(directory.treeID, shape: shape, number: 1), shape: shape)
        }
    }

    /// A directory of so many files is measured where the caller runs, if all of it is in memory.
    private static let lightFiles = 64

    /// Length and shape of the ZIP of a directory, found without keeping anything of its entries. Nil: names that no ZIP can
    /// hold; the version is stored all the same and has no ZIP view.
    static func measureZip(
        _ context: ReadContext, _ directory: DirectoryContent, _ listing: [TreeEntry]? = nil,
        isForComparison: Bool = false
    ) throws -> (byteCount: Int64, shape: ZipShape)? {
        do {
            return try context.guarding {
                var measure = ZipMeasure()
                let root = try listing.map { DirectoryListing($0) } ?? context.listing(directory)
                let shape = try ZipShape(context, root, isForComparison: isForComparison) {
                    member, _, _ throws(ArchiveError) in try measure.add(member)
                }
                return (measure.totalBytes, shape)
            }
        } catch let error as StoreError where error.code == .invalid {
            return nil
        }
    }

    /// The tag of a presentation: other bytes, be it that only the encoding of a chunk differs, have another tag.
    func etag(_ contentID: SHA256Digest, shape: [UInt8], number: Int) -> String {
        let keyed = Derivation.secret(storageKeys.current.key, "version/etag", [contentID.bytes, shape])
        return keyed.withUnsafeBytes { Hex.encode(Array($0.prefix(16))) } + "-p\(number)"
    }
}
