import Catalog
import Cryptography
import Foundation

extension ArtifactStore {
    /// Writes a version's content anew, into a domain of its own: no id and no key of before leads to it any more, and the
    /// old records are collected unless other versions need them. Version, number, digest, pins and ZIP stay what they are;
    /// readers that have begun finish. The row is switched in one transaction, after the new records were read back.
    ///
    /// - Throws: `StoreError` with `.keyUnavailable` while the version's key cannot be used.
    func isolate(_ id: VersionID) async throws {
        for _ in 0..<4 {
            do {
                return try await isolateOnce(id)
            } catch let error as StoreError where error.code == .conflict {
                continue  // Its keys were changed meanwhile: what was written under the old ones is collected.
            }
        }
        throw StoreError(.conflict, "version \(id) keeps being changed by others; try again")
    }

    private func isolateOnce(_ id: VersionID) async throws {
        // What is still in the journal belongs into packs first: there it can be told where the old records are.
        try await settle()
        let row = try await row(id)
        let version = try await version(row)
        let source = try await open(row, leases.begin(expires: nil))
        let key = StoreKeyReference(id: version.keyID, arn: version.keyARN)
        let scope = version.draft.scope
        let name = "isolated/\(id)/\(UUID().uuidString.lowercased())"
        let ingest = try await beginIngest(
            into: try await keys.domain(for: .artifact(name, key, scope)), scope: scope, key: key,
            isSensitive: version.draft.isSensitive)
        defer { ingest.abandon() }
        let transcoder = Transcoder(source: source.context, session: ingest.session)
        let root = try await pool.run { try source.context.guarding { try transcoder.root(source.root) } }
        guard root.contentID == version.contentID, root.contentID == source.root.contentID else {
            throw StoreError.integrity(
                "version \(id): its content changed while it was re-encrypted; it stays as it was")
        }
        let staged = StagedContent(
            ingest: ingest, root: root, logicalBytes: version.logicalBytes, fileCount: version.fileCount)
        // Closed, so that the next collection can rewrite what holds the old records.
        let old = try await pool.run { [packs] in
            try packs.sealOpenPacks()
            return Set(try transcoder.replaced.compactMap { try packs.readable($0)?.pack })
        }
        let durables = try await flushes.flush(ingest.session.outcome.touched.union(packs.unregisteredSealed))
        // Without the cache of trees: what counts is what was stored.
        let written = ReadContext(
            reader: RecordReader(packs: packs, workers: workers, cacheBytes: 4 << 20), pool: pool,
            domain: ingest.session.domain.records, session: ingest.session, subject: source.context.subject)
        try await pool.run { try written.guarding { try written.verify(root) } }
        let keepsZip = try await keepsZip(row, of: source, staged, written)
        try await switchOver(row, version, staged, durables, old.subtracting([Location.journal]), keepsZip: keepsZip)
        await tidyUp()
    }

    private func switchOver(
        _ row: Row, _ version: Version, _ staged: StagedContent, _ durables: [PackWriter.Durable], _ old: Set<UInt32>,
        keepsZip isSame: Bool
    ) async throws {
        let wrapped = try row.bytes("data_key")
        let dataKey = try await keys.openDataKey(wrapped, of: DataKeyBinding(version))
        let sealed = try RootManifest.seal(
            staged.root.encode(), dataKey: dataKey, version: version.id, number: version.number)
        let (before, roots) = (try row.bytes("root"), try staged.root.refs().flatMap(\.id.bytes))
        let domain = staged.ingest.session.domain
        let zip = try await presentation(staged)
        // Cuts and structure are the old ones; only another encoder could make another ZIP of them.
        let number = isSame ? version.zip.number : version.zip.number + 1
        let tag = isSame ? version.zip.etag : etag(version.contentID, shape: zip.shape, number: number)
        let bytes = isSame ? version.zip.byteCount : zip.byteCount
        try await commit(staged.ingest.session.outcome, durables, staged.ingest.lease, at: now()) {
            [retiredDomains, configuration] transaction in
            try retiredDomains.check(domain)
            let changed = try transaction.execute(
                """
                UPDATE store_versions SET root = ?, roots = ?, domain_id = ?, domain_epoch = ?, zip_bytes = ?,
                    zip_etag = ?, zip_number = ?, zip_shape = ?, revision = revision + 1
                WHERE id = ? AND data_key = ? AND root = ?
                """, sealed, roots, domain.id, Int64(domain.epoch), bytes, tag, number, zip.shape,
                version.id.rawValue, wrapped, before)
            guard changed == 1 else { throw StoreError(.conflict, "version \(version.id) was changed meanwhile") }
            if !isSame { try configuration.presentationChanged(version.id, bytes, tag, transaction) }
            for pack in old {
                try transaction.execute(
                    "INSERT INTO store_scour (pack) VALUES (?) ON CONFLICT (pack) DO NOTHING", Int64(pack))
            }
        }
    }

    /// Whether the ZIP of content that was stored anew has the bytes that the version's tag stands for.
    func keepsZip(
        _ row: Row, of old: OpenVersion, _ staged: StagedContent, _ stored: ReadContext
    ) async throws -> Bool {
        guard case .tree(let before) = old.root.content, case .tree(let after) = staged.root.content else {
            return true
        }
        let recorded = try row.bytes("zip_shape")
        return try await pool.run {
            let one = try Self.measureZip(old.context, before, isForComparison: true)?.shape
            let other = try Self.measureZip(stored, after, isForComparison: true)?.shape
            guard let one, let other else { return one == nil && other == nil }
            return one.isRecorded(as: recorded) && one.isSame(as: other)
        }
    }
}
