import Catalog
import Cryptography
import KeyHierarchy

extension ArtifactStore {
    /// Stores a version's content anew in the newest epoch of its domain, or in the domain of another key, and switches the
    /// version over in one transaction. Tells whether there was anything to do.
    ///
    /// The old records stay until nothing needs them: readers that began before go on undisturbed. The data key stays, and
    /// with it every share; the manifest is sealed anew.
    func reencrypt(
        _ row: Row, _ job: StoreJob, _ cursor: JobCursor, _ control: JobControl, _ verified: VerifiedFiles
    ) async throws -> Bool {
        let draft = try VersionRow.draft(row)
        let target = try await target(row, draft, job)
        guard try !target.isCurrent(row) else { return false }
        let version = try await open(row, leases.begin(expires: nil))
        let ingest = try await beginIngest(
            into: target.domain, scope: draft.scope, key: target.key, isSensitive: draft.isSensitive)
        defer { ingest.abandon() }
        let session = ingest.session
        let root = try await pool.run {
            try version.context.guarding {
                try Reencrypter(old: version.context, session: session, control: control).run(version.root)
            }
        }
        let staged = StagedContent(
            ingest: ingest, root: root, logicalBytes: try row.natural("logical_bytes"),
            fileCount: Int(try row.natural("file_count")))
        let durables = try await flushes.flush(session.outcome.touched.union(packs.unregisteredSealed))
        // Without the cache of trees: what counts is what was stored.
        let stored = ReadContext(
            reader: RecordReader(packs: packs, workers: workers, cacheBytes: 4 << 20), pool: pool,
            domain: session.domain.records, session: session, subject: version.context.subject)
        try await pool.run {
            try stored.guarding {
                try ReencryptionCheck(new: stored, control: control, verified: verified).run(
                    root, replacing: version.root)
            }
        }
        let keepsZip = try await keepsZip(row, of: version, staged, stored)
        try await switchOver(row, staged, target, durables, job, cursor, keepsZip: keepsZip)
        await tidyUp()
        return true
    }

    private func switchOver(
        _ row: Row, _ staged: StagedContent, _ target: ReencryptionTarget, _ durables: [PackWriter.Durable],
        _ job: StoreJob, _ cursor: JobCursor, keepsZip: Bool
    ) async throws {
        let (id, draft) = (try VersionRow.id(row), try VersionRow.draft(row))
        let binding = DataKeyBinding(id, draft)
        let oldWrap = try row.bytes("data_key")
        var wrapped = oldWrap
        let dataKey = try await keys.openDataKey(wrapped, of: binding)
        if job.targetKeyARN != nil {
            wrapped = try await keys.rewrapDataKey(wrapped, of: binding, under: target.key) ?? wrapped
        }
        let manifest = try RootManifest.seal(
            staged.root.encode(), dataKey: dataKey, version: id, number: Int(try row.natural("number")))
        let roots = try staged.root.refs().flatMap(\.id.bytes)
        let zip = try await zipAfter(row, staged, keepsZip: keepsZip)
        let isChanged = try zip.number != Int(row.natural("zip_number"))
        let (before, envelope, domain) = (try row.bytes("root"), wrapped, staged.ingest.session.domain)
        let (bytes, time) = (staged.logicalBytes, now())
        try await commit(staged.ingest.session.outcome, durables, staged.ingest.lease, at: time) {
            [retiredDomains, configuration] transaction in
            try retiredDomains.check(domain)
            let changed = try transaction.execute(
                """
                UPDATE store_versions SET key_id = ?, key_arn = ?, domain_id = ?, domain_epoch = ?, roots = ?, root = ?,
                    data_key = ?, zip_bytes = ?, zip_etag = ?, zip_number = ?, zip_shape = ?, revision = revision + 1
                WHERE id = ? AND root = ? AND data_key = ?
                """, target.key.id, target.key.arn, domain.id, Int64(domain.epoch), roots, manifest, envelope,
                zip.bytes, zip.etag, zip.number, zip.shape, id.rawValue, before, oldWrap)
            // Deleted for good meanwhile, re-keyed, or its data key re-wrapped: look again.
            guard changed == 1 else { throw StoreError(.leaseExpired, "version \(id) was changed meanwhile") }
            if isChanged { try configuration.presentationChanged(id, zip.bytes, zip.etag, transaction) }
            try Self.advance(job, cursor, bytes: bytes, at: time.milliseconds, transaction)
        }
    }

    /// The ZIP view afterwards: chunks may have been cut and compressed otherwise, which gives it other bytes and a new tag.
    private func zipAfter(_ row: Row, _ staged: StagedContent, keepsZip: Bool) async throws -> (
        bytes: Int64, etag: String, number: Int, shape: [UInt8]
    ) {
        let new = try await presentation(staged)
        let number = Int(try row.natural("zip_number"))
        if keepsZip { return (new.byteCount, try row.string("zip_etag"), number, new.shape) }
        return (new.byteCount, etag(staged.contentID, shape: new.shape, number: number + 1), number + 1, new.shape)
    }

    /// Where a version's content belongs: where new content of its artifact goes, under its own key or the job's.
    private func target(_ row: Row, _ draft: VersionDraft, _ job: StoreJob) async throws -> ReencryptionTarget {
        var key = StoreKeyReference(id: try row.string("key_id"), arn: try row.string("key_arn"))
        if let arn = job.targetKeyARN { key = try await keys.resolve(arn, in: draft.scope) }
        let scope = domainScope(key, draft.scope, repository: draft.repository, artifact: draft.artifact)
        return ReencryptionTarget(key: key, domain: try await keys.domain(for: scope))
    }
}

/// Where a version's content belongs.
struct ReencryptionTarget: Sendable {
    let key: StoreKeyReference
    let domain: StoreDomain

    /// Whether a version is there already.
    func isCurrent(_ row: Row) throws -> Bool {
        try row.bytes("domain_id") == domain.id && row.integer("domain_epoch") == domain.epoch
            && (try row.string("key_arn")) == key.arn
    }
}
