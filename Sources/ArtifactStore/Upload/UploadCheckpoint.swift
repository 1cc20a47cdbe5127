import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Logging
import Synchronization

/// Keeps what an upload has received where a restart of the process does not lose it: the packs become known to the
/// database, and the capabilities of what is in them are kept in `store_uploads` and `store_upload_parts`, sealed under a
/// data key that the upload's KMS key wraps. The next upload of the same name need not receive that again.
///
/// Nothing of this protects content from collection once the process is gone: who goes on looks whether it is still there.
final class UploadCheckpoint: Sendable {
    /// Between two checkpoints, at least.
    static let pauseSeconds = 5.0
    /// Bytes received since the last one that are worth another, each of which costs a flush and a part of a chunk.
    static let worthwhileBytes: Int64 = 4 << 20
    /// Uploads that nobody went on with for so long are forgotten.
    static let keptSeconds: Int64 = 7 * 24 * 3600
    /// Earlier uploads of the same name that are looked at.
    private static let earlierMaximum = 4

    /// What earlier uploads of the same name received, as far as it can be opened.
    struct Earlier: Sendable {
        var contents = ContentTable()
        /// Beginnings of files of which no more was received.
        var beginnings: [ContentName: FileContent] = [:]
    }

    private struct State {
        var nextPart: Int64 = 1
        var dataKey: SecretBytes?
        /// The row is there, and with it the wrapped key.
        var isInserted = false
        var savedAt: Date
        var receivedBytes: Int64 = 0
    }

    private let store: ArtifactStore
    private let ingest: Ingest
    private let name: String
    private let binding: DataKeyBinding
    private let state: Mutex<State>

    init(_ store: ArtifactStore, _ ingest: Ingest, name: String, repository: String, artifact: String) {
        self.store = store
        self.ingest = ingest
        self.name = name
        binding = DataKeyBinding(
            version: VersionID(), scope: ingest.scope, repository: repository, artifact: artifact)
        state = Mutex(State(savedAt: store.now()))
    }

    /// What a content may be read with before it is published.
    var context: ReadContext {
        ReadContext(
            reader: store.reader, pool: store.pool, domain: ingest.session.domain.records, session: ingest.session,
            subject: "the upload")
    }

    /// So many bytes more were received. Returns whether it is time to save.
    func received(_ bytes: Int) -> Bool {
        state.withLock { state in
            state.receivedBytes += Int64(bytes)
            return state.receivedBytes >= Self.worthwhileBytes
                && store.now().timeIntervalSince(state.savedAt) >= Self.pauseSeconds && ingest.session.isSpilled
        }
    }

    /// Makes durable what was received, and says so in the database.
    ///
    /// - Parameters:
    ///   - contents: files received since the last time.
    ///   - beginning: the file under way and the content of its beginning.
    /// - Throws: what a commit throws. The upload can go on after `.keyUnavailable` and the like.
    func save(_ contents: PackedEntries, beginning: (ContentName, FileContent)?) async throws {
        state.withLock { state in
            state.savedAt = store.now()
            state.receivedBytes = 0
        }
        let (dataKey, wrapped) = try await key()
        let part = state.withLock { state in
            defer { state.nextPart += 1 }
            return state.nextPart
        }
        let parts = [
            (part, contents.count == 0 ? nil : try seal(contents, part, dataKey)),
            // Always part 0: only the last beginning counts.
            (0, try beginning.map { try seal(1, Self.encode($0.0, $0.1), 0, dataKey) }),
        ]
        let outcome = ingest.session.outcome
        let durables = try await store.flushes.flush(outcome.touched.union(store.packs.unregisteredSealed))
        let time = store.now()
        try await store.commit(outcome, durables, ingest.lease, at: time) { [self] transaction in
            try store.retiredDomains.check(ingest.session.domain)
            try insert(wrapped, at: time.milliseconds, transaction)
            for (number, sealed) in parts {
                guard let sealed else { continue }
                try transaction.execute(
                    """
                    INSERT INTO store_upload_parts (upload, part, contents) VALUES (?, ?, ?)
                    ON CONFLICT (upload, part) DO UPDATE SET contents = excluded.contents
                    """, binding.version.rawValue, number, sealed)
            }
            try Self.forget(before: time.milliseconds - Self.keptSeconds * 1000, transaction)
        }
        state.withLock { $0.isInserted = true }
    }

    private func insert(_ wrapped: [UInt8]?, at time: Int64, _ transaction: Transaction) throws {
        guard let wrapped else {
            try transaction.execute(
                "UPDATE store_uploads SET saved_at = ? WHERE id = ?", time, binding.version.rawValue)
            return
        }
        let domain = ingest.session.domain
        try transaction.execute(
            """
            INSERT INTO store_uploads (id, name, account, region, repository, artifact, key_arn, domain_id, domain_epoch,
                data_key, saved_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, binding.version.rawValue, name, binding.scope.account, binding.scope.region, binding.repository,
            binding.artifact, ingest.key.arn, domain.id, Int64(domain.epoch), wrapped, time)
    }

    /// The data key, and its wrapped form while no row holds it.
    private func key() async throws -> (SecretBytes, [UInt8]?) {
        if let known = state.withLock({ $0.isInserted ? $0.dataKey : nil }) { return (known, nil) }
        let (made, wrapped) = try await store.keys.newDataKey(under: ingest.key, for: binding)
        state.withLock { $0.dataKey = made }
        return (made, wrapped)
    }

    /// What earlier uploads of the same name received. What cannot be opened, because its key is disabled or it is damaged,
    /// will be received again.
    func earlier() async throws -> Earlier {
        let domain = ingest.session.domain
        let (name, arn) = (name, ingest.key.arn)
        let rows = try await store.catalog.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM store_uploads WHERE name = ? AND key_arn = ? AND domain_id = ? AND domain_epoch = ?
                ORDER BY saved_at DESC LIMIT ?
                """, name, arn, domain.id, Int64(domain.epoch), Self.earlierMaximum)
        }
        var found = Earlier()
        for row in rows.reversed() {
            do {
                try await read(row, into: &found)
            } catch let error as StoreError where [.keyUnavailable, .integrity].contains(error.code) {
                continue
            } catch is FormatError {
                continue
            }
        }
        return found
    }

    private func read(_ row: Row, into found: inout Earlier) async throws {
        guard let id = VersionID(try row.string("id")) else { throw FormatError("an upload has an impossible id") }
        let binding = DataKeyBinding(
            version: id, scope: binding.scope, repository: try row.string("repository"),
            artifact: try row.string("artifact"))
        let dataKey = try await store.keys.openDataKey(try row.bytes("data_key"), of: binding)
        let parts = try await store.catalog.read { transaction in
            try transaction.rows(
                "SELECT part, contents FROM store_upload_parts WHERE upload = ? ORDER BY part", id.rawValue)
        }
        for part in parts {
            let number = try part.int64("part")
            let list = try Self.open(try part.bytes("contents"), id, number, dataKey)
            for (name, content) in list {
                if number == 0 { found.beginnings[name] = content } else { found.contents.insert(content) }
            }
        }
    }

    /// Forgets this upload and the earlier ones of its name: it was published, or given up.
    func forget() async throws {
        let (name, scope) = (name, binding.scope)
        let isThere = try await store.catalog.read { transaction in
            try transaction.row("SELECT id FROM store_uploads WHERE name = ? LIMIT 1", name) != nil
        }
        guard isThere else { return }
        try await store.catalog.write { transaction in
            let rows = try transaction.rows(
                "SELECT id FROM store_uploads WHERE name = ? AND account = ? AND region = ?", name, scope.account,
                scope.region)
            for row in rows { try Self.delete(try row.string("id"), transaction) }
        }
    }

    private static func forget(before time: Int64, _ transaction: Transaction) throws {
        for row in try transaction.rows("SELECT id FROM store_uploads WHERE saved_at < ?", time) {
            try delete(try row.string("id"), transaction)
        }
    }

    private static func delete(_ id: String, _ transaction: Transaction) throws {
        try transaction.execute("DELETE FROM store_upload_parts WHERE upload = ?", id)
        try transaction.execute("DELETE FROM store_uploads WHERE id = ?", id)
    }

    // MARK: Sealing

    /// A part: format 1, count, and for each file SHA-256 and length of the whole, and the content that is there.
    private func seal(_ count: Int, _ list: [UInt8], _ part: Int64, _ key: SecretBytes) throws -> [UInt8] {
        var writer = CanonicalWriter()
        writer.byte(1)
        writer.integer(count)
        writer.raw(list)
        return try SealedEnvelope.seal(
            writer.bytes, type: .upload, version: 0, key: key, name: Self.name(binding.version, part))
    }

    private func seal(_ contents: PackedEntries, _ part: Int64, _ key: SecretBytes) throws -> [UInt8] {
        var list: [UInt8] = []
        var count = 0
        for number in 0..<contents.count {
            guard case .file(let content) = try contents.entry(number).content else { continue }
            list += Self.encode(content.name, content)
            count += 1
        }
        return try seal(count, list, part, key)
    }

    private static func encode(_ name: ContentName, _ content: FileContent) -> [UInt8] {
        var writer = CanonicalWriter()
        writer.digest(name.digest)
        writer.integer(UInt64(name.byteCount))
        writer.content(content)
        return writer.bytes
    }

    private static func open(
        _ sealed: [UInt8], _ id: VersionID, _ part: Int64, _ key: SecretBytes
    ) throws -> [(ContentName, FileContent)] {
        var reader = CanonicalReader(
            try SealedEnvelope.open(sealed, type: .upload, key: key, name: name(id, part)))
        guard try reader.byte() == 1 else { throw FormatError("an upload has an unknown format") }
        let list = try (0..<(try reader.count(limit: reader.remaining))).map { _ in
            (
                ContentName(digest: try reader.digest(), byteCount: Int64(try reader.count())),
                try reader.content()
            )
        }
        try reader.end()
        return list
    }

    private static func name(_ id: VersionID, _ part: Int64) -> [UInt8] { Array("upload/\(id)/\(part)".utf8) }
}
