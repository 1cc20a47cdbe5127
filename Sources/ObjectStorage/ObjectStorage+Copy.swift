import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy

/// What a copy changes.
public struct CopyChanges: Sendable, Hashable {
    /// New metadata in place of the source's.
    public var metadata: ObjectMetadata?
    /// New tags in place of the source's.
    public var tags: [ObjectTag]?
    /// A storage class in place of `STANDARD`.
    public var storageClass: String?
    /// Which key protects the copy.
    public var encryption: EncryptionRequest
    /// The checksum algorithm of the copy in place of the source's.
    public var checksum: ChecksumAlgorithm?
    /// Where a website sends readers of the copy. It is not taken over from the source, as S3 has it.
    public var websiteRedirect: String?
    /// Whether the source was named with its version: putting a version back on top is a change in itself.
    public var isOfNamedVersion = false
    /// The writer's account; the destination bucket's owner when `nil`.
    public var owner: String?

    /// A copy that changes nothing.
    public init() { encryption = .bucketDefault }

    /// Whether the copy would differ from a source in the same place.
    var changesAnything: Bool {
        metadata != nil || tags != nil || storageClass != nil || encryption != .bucketDefault || checksum != nil
            || websiteRedirect != nil || isOfNamedVersion
    }
}

extension ObjectStorage {
    /// Copies an object as it was when `source` was read. The bytes are shared with the source where owner, key and context
    /// allow, and read and written anew where they do not.
    public func copy(
        _ source: StoredObject, to name: String, key: String, changes: CopyChanges = CopyChanges(),
        conditions: WriteConditions = .none
    ) async throws -> StoredObject {
        try ObjectKey.validate(key)
        let destination = try await headBucket(name)
        let (encryption, keyID) = try await resolve(changes.encryption, for: destination, key: key)
        if source.bucket == name, source.key == key, source.isLatest, !changes.changesAnything,
            source.encryption == encryption
        {
            throw ObjectStorageError.invalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes.", key)
        }
        var draft = ObjectDraft(key: key, owner: changes.owner ?? destination.scope.account)
        draft.size = source.size
        draft.etag = source.etag
        draft.metadata = changes.metadata ?? source.metadata
        draft.metadata.websiteRedirect = changes.websiteRedirect
        draft.tags = changes.tags ?? source.tags
        draft.storageClass = changes.storageClass ?? "STANDARD"
        draft.encryption = encryption
        draft.checksum = source.checksum
        let origin = try await headBucket(source.bucket)
        // Under a KMS key the data key is bound to the object's name, or with a bucket key to the bucket's.
        let sharesKey = origin.scope == destination.scope && source.encryption == encryption
        let keepsChecksum = changes.checksum == nil || changes.checksum == source.checksum?.algorithm
        if sharesKey, keepsChecksum,
            let copy = try await share(source, draft, in: name, conditions: conditions)
        {
            return copy
        }
        return try await rewrite(
            source, draft, in: destination, keyID: keyID, checksum: changes.checksum, conditions: conditions)
    }

    /// Adds an object that refers to the same store versions, or answers `nil` when those are not the source's own.
    private func share(
        _ source: StoredObject, _ draft: ObjectDraft, in name: String, conditions: WriteConditions
    ) async throws -> StoredObject? {
        let now = now()
        let copy: StoredObject? = try await catalog.write { transaction in
            let origin = try BucketRow.named(source.bucket, transaction)
            let row = try Namespace.version(source.versionID, of: source.key, in: origin, transaction)
            guard let row, row.object.sequence == source.sequence else {
                throw ObjectStorageError.noSuchKey(source.key)
            }
            guard row.owned else { return nil }
            var draft = draft
            draft.content = row.object.content
            draft.presentation = row.object.presentation
            draft.segments = try Self.segments(of: row.object, transaction)
            guard draft.segments.allSatisfy(\.owned) else { return nil }
            let destination = try BucketRow.named(name, transaction)
            return try Namespace.insert(draft, in: destination, conditions: conditions, now: now, transaction)
        }
        return copy
    }

    private static func segments(of object: StoredObject, _ transaction: Transaction) throws -> [ObjectDraft.Segment] {
        guard object.partCount > 0 else { return [] }
        return try transaction.rows(
            "SELECT * FROM object_segments WHERE object = ? ORDER BY ordinal", object.sequence
        ).map { row in
            ObjectDraft.Segment(
                part: try row.int("part"), size: try row.int64("size"), content: try content(row),
                owned: try row.bool("owned"),
                presentation: ObjectPresentation(rawValue: try row.int("presentation")) ?? .bytes,
                checksum: try row.optionalString("checksum"))
        }
    }

    private func rewrite(
        _ source: StoredObject, _ draft: ObjectDraft, in destination: Bucket, keyID: String?,
        checksum: ChecksumAlgorithm?, conditions: WriteConditions
    ) async throws -> StoredObject {
        let kept = source.checksum?.kind == .fullObject ? source.checksum?.algorithm : nil
        let algorithm = checksum ?? kept ?? .crc64nvme
        let (content, digests) = try await withSink(destination, draft.key, keyID, [algorithm]) { sink in
            for try await piece in try await self.read(source) { try await sink.write(piece) }
            return try await sink.finish(
                expecting: ContentExpectation(byteCount: source.size), resource: source.key)
        }
        var draft = draft
        draft.etag = digests.etag
        draft.checksum = digests.base64(algorithm).map { ObjectChecksum(algorithm: algorithm, value: $0) }
        return try await publish(content, draft, in: destination.name, conditions: conditions)
    }
}
