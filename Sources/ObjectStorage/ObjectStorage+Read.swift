public import ArtifactStore
import Catalog
import Foundation

extension ObjectStorage {
    /// A version of an object: the named one, or the newest.
    ///
    /// Throws `NoSuchBucket`, `NoSuchKey` (also when the newest version is a delete marker; then `details` has
    /// ``ObjectStorageError/deleteMarkerDetail``), `NoSuchVersion`, or `MethodNotAllowed` for a delete marker by its id.
    public func head(bucket: String, key: String, versionID: String? = nil) async throws -> StoredObject {
        try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            return try Namespace.resolve(key, version: versionID, in: row, transaction).object
        }
    }

    /// An object's bytes, or a range of them that must lie within the object.
    ///
    /// Throws `ConditionalRequestConflict` when the object shows a version as a ZIP whose bytes are no longer those that
    /// its tag stands for: a damaged chunk was replaced by one that is encoded otherwise. Look the object up again: it has
    /// the new tag and size then.
    public func read(_ object: StoredObject, range: Range<Int64>? = nil) async throws -> ByteStream {
        let range = range ?? 0..<object.size
        guard range.lowerBound >= 0, range.upperBound <= object.size else {
            throw ObjectStorageError(
                code: "InvalidRange", message: "The requested range is not satisfiable", resource: object.key,
                details: ["ActualObjectSize": String(object.size)])
        }
        if range.isEmpty { return ByteStream([]) }
        if let content = object.content {
            guard object.presentation == .zip else { return try await open(content, .bytes, range) }
            let zip = try await store.zip(content)
            try await requireCurrent(zip, of: content, object)
            return try zip.stream(range: range)
        }
        let pieces = try await segments(of: object, overlapping: range)
        guard pieces.reduce(0, { $0 + $1.range.count }) == range.count else {
            throw CatalogError(.corrupt, "the parts of an object do not cover it")
        }
        let reader = SegmentReader(pieces) { piece in
            try await self.open(piece.content, piece.presentation, piece.range)
        }
        return ByteStream(byteCount: Int64(range.count)) { { try await reader.next() } }
    }

    /// Refuses to read a ZIP under a tag that is not its own, after giving the objects that show it the right one.
    private func requireCurrent(_ zip: ZipPresentation, of content: VersionID, _ object: StoredObject) async throws {
        if zip.etag == object.etag { return }
        try await catalog.write {
            try Self.presentationChanged(content, byteCount: zip.byteCount, etag: zip.etag, $0)
        }
        throw ObjectStorageError(
            code: "ConditionalRequestConflict",
            message: "The ZIP that the object shows was put together anew meanwhile. Try again.", resource: object.key)
    }

    private func open(_ content: VersionID, _ presentation: ObjectPresentation, _ range: Range<Int64>) async throws
        -> ByteStream
    {
        switch presentation {
        case .bytes: try await store.read(content, range: range)
        case .zip: try await store.zip(content).stream(range: range)
        }
    }

    /// The parts of an object that was uploaded in parts, by number; empty for others.
    public func parts(of object: StoredObject, after: Int = 0, limit: Int = 10_000) async throws -> [ObjectPart] {
        guard object.partCount > 0 else { return [] }
        return try await catalog.read { transaction in
            try transaction.rows(
                "SELECT * FROM object_segments WHERE object = ? AND part > ? ORDER BY ordinal LIMIT ?",
                object.sequence, after, limit
            ).map { row in
                let start = try row.int64("start")
                return ObjectPart(
                    number: try row.int("part"), range: start..<(start + (try row.int64("size"))),
                    checksum: try row.optionalString("checksum"), content: try Self.content(row),
                    presentation: ObjectPresentation(rawValue: try row.int("presentation")) ?? .bytes)
            }
        }
    }

    /// The pieces of parts that cover `range`, with ranges within each part.
    private func segments(of object: StoredObject, overlapping range: Range<Int64>) async throws
        -> [SegmentReader.Piece]
    {
        try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM object_segments WHERE object = ? AND start < ? AND start + size > ? ORDER BY ordinal
                """,
                object.sequence, range.upperBound, range.lowerBound
            ).map { row in
                let start = try row.int64("start")
                let size = try row.int64("size")
                return SegmentReader.Piece(
                    content: try Self.content(row),
                    presentation: ObjectPresentation(rawValue: try row.int("presentation")) ?? .bytes,
                    range: max(0, range.lowerBound - start)..<min(size, range.upperBound - start))
            }
        }
    }

    static func content(_ row: Row) throws -> VersionID {
        guard let id = VersionID(try row.string("content")) else {
            throw CatalogError(.mismatch, "a part of an object does not name a store version")
        }
        return id
    }

    /// One store version that holds the whole object, as a pipeline needs it.
    ///
    /// An object that was uploaded in parts is joined once, which reads it and stores little that is new, and remembered.
    public func contentVersion(of object: StoredObject) async throws -> VersionID {
        if let content = object.content { return content }
        guard object.partCount > 0 else { throw ObjectStorageError.noSuchKey(object.key) }
        let bucket = try await headBucket(object.bucket)
        let ingest = try await beginIngest(
            in: bucket, key: object.key, keyID: object.encryption.keyARN)
        do {
            let blob = try await ingest.openBlob()
            for try await piece in try await read(object) { try await blob.write(piece) }
            var draft = VersionDraft(
                scope: bucket.scope, repository: Self.repository, artifact: Self.artifact(object.bucket, object.key),
                createdBy: object.owner)
            draft.encryptionContext = object.encryption.context
            let result = Handover<VersionID>()
            _ = try await store.publish(try await blob.finish(), draft) { transaction, version in
                result.set(try Self.remember(version.id, of: object, transaction))
            }
            return try result.get()
        } catch {
            ingest.abandon()
            throw error
        }
    }

    /// Notes the joined content of an object. Throws `NoSuchKey` when the object has been deleted in the meantime, and
    /// `ConditionalRequestConflict` when somebody else was faster.
    private static func remember(_ content: VersionID, of object: StoredObject, _ transaction: Transaction) throws
        -> VersionID
    {
        let bucket = try BucketRow.named(object.bucket, transaction)
        let changed = try transaction.execute(
            """
            UPDATE object_versions SET content = ? WHERE bucket = ? AND key = ? AND rank = ? AND content IS NULL
            """,
            content.rawValue, bucket.id, Array(object.key.utf8), -object.sequence)
        guard changed == 1 else {
            throw ObjectStorageError(
                code: "ConditionalRequestConflict",
                message: "The object was deleted or joined by another request meanwhile. Try again.",
                resource: object.key)
        }
        return content
    }
}

/// Reads the pieces of an object one after the other, opening each when it is reached.
private actor SegmentReader {
    struct Piece: Sendable {
        let content: VersionID
        let presentation: ObjectPresentation
        let range: Range<Int64>
    }

    private let pieces: [Piece]
    private let open: @Sendable (Piece) async throws -> ByteStream
    private var index = 0
    private var current: ByteStream.AsyncIterator?

    init(_ pieces: [Piece], open: @escaping @Sendable (Piece) async throws -> ByteStream) {
        self.pieces = pieces
        self.open = open
    }

    func next() async throws -> [UInt8]? {
        while true {
            if var iterator = current {
                if let bytes = try await iterator.next() {
                    current = iterator
                    return bytes
                }
                current = nil
            }
            guard index < pieces.count else { return nil }
            current = try await open(pieces[index]).makeAsyncIterator()
            index += 1
        }
    }
}
