import ArtifactStore
import Catalog
import Cryptography
import Foundation
import KeyHierarchy

/// A write of one object under way. Nothing is visible before ``finish(metadata:expecting:)`` returns.
///
/// To be used by one task at a time. A writer that is neither finished nor abandoned loses its bytes when the store's
/// lease on them runs out.
public actor ObjectWriter {
    private let storage: ObjectStorage
    private let bucket: Bucket
    private let key: String
    private let options: ObjectOptions
    private let encryption: ObjectEncryption
    private let conditions: WriteConditions
    private let sink: ContentSink

    init(
        _ storage: ObjectStorage, bucket: Bucket, key: String, options: ObjectOptions, encryption: ObjectEncryption,
        conditions: WriteConditions, sink: ContentSink
    ) {
        self.storage = storage
        self.bucket = bucket
        self.key = key
        self.options = options
        self.encryption = encryption
        self.conditions = conditions
        self.sink = sink
    }

    /// Adds bytes. Returns when the store has taken them, which bounds memory.
    public func write(_ bytes: [UInt8]) async throws { try await sink.write(bytes) }

    /// Publishes the object: once this returns, it is on disk and visible.
    ///
    /// - Parameters:
    ///   - metadata: in place of the metadata the write began with.
    ///   - expectation: what the client says the bytes are.
    /// - Throws: `BadDigest`, `IncompleteBody`, `PreconditionFailed`, `NoSuchBucket`.
    public func finish(
        metadata: ObjectMetadata? = nil, expecting expectation: ContentExpectation = ContentExpectation()
    )
        async throws -> StoredObject
    {
        let (content, digests) = try await sink.finish(expecting: expectation, resource: key)
        var draft = ObjectDraft(key: key, owner: options.owner ?? bucket.scope.account)
        draft.size = digests.byteCount
        draft.etag = digests.etag
        draft.metadata = metadata ?? options.metadata
        draft.tags = options.tags
        draft.storageClass = options.storageClass
        draft.encryption = encryption
        draft.checksum = Self.checksum(digests, expectation)
        return try await storage.publish(content, draft, in: bucket.name, conditions: conditions)
    }

    /// Gives the bytes up.
    public func abandon() async { await sink.abandon() }

    /// The checksum to keep: the client's own where it sent one, else the one that S3 computes.
    private static func checksum(_ digests: ContentDigests, _ expectation: ContentExpectation) -> ObjectChecksum? {
        let algorithm =
            ChecksumAlgorithm.allCases.first { expectation.checksums[$0] != nil }
            ?? (digests.checksums[.crc64nvme] != nil ? .crc64nvme : digests.checksums.keys.first)
        guard let algorithm, let value = digests.base64(algorithm) else { return nil }
        return ObjectChecksum(algorithm: algorithm, value: value)
    }
}

extension ObjectStorage {
    /// Begins to write an object.
    ///
    /// - Parameters:
    ///   - checksums: the algorithms to compute while the bytes pass; CRC-64/NVME when empty.
    ///   - conditions: what must hold of the key both now and when the write finishes.
    /// - Throws: `NoSuchBucket`, `KeyTooLongError`, `PreconditionFailed`.
    public func beginPut(
        bucket name: String, key: String, options: ObjectOptions = ObjectOptions(),
        checksums: Set<ChecksumAlgorithm> = [], conditions: WriteConditions = .none
    ) async throws -> ObjectWriter {
        try ObjectKey.validate(key)
        let bucket = try await catalog.read { transaction in
            let row = try BucketRow.named(name, transaction)
            if conditions != .none {
                try Namespace.check(
                    conditions, against: try Namespace.latest(key, in: row, transaction)?.object, key: key)
            }
            return row.bucket
        }
        let (encryption, keyID) = try await resolve(options.encryption, for: bucket, key: key)
        let ingest = try await beginIngest(in: bucket, key: key, keyID: keyID)
        let sink = try await ContentSink(ingest, algorithms: checksums.isEmpty ? [.crc64nvme] : checksums)
        return ObjectWriter(
            self, bucket: bucket, key: key, options: options, encryption: encryption, conditions: conditions,
            sink: sink)
    }

    /// Writes an object that is in memory.
    @discardableResult
    public func put(
        bucket: String, key: String, bytes: [UInt8], options: ObjectOptions = ObjectOptions(),
        conditions: WriteConditions = .none
    ) async throws -> StoredObject {
        let writer = try await beginPut(bucket: bucket, key: key, options: options, conditions: conditions)
        try await writer.write(bytes)
        return try await writer.finish()
    }

    /// Publishes staged bytes as a store version and an object in one transaction.
    func publish(
        _ content: StagedContent, _ draft: ObjectDraft, in bucket: String, conditions: WriteConditions = .none
    ) async throws -> StoredObject {
        let result = Handover<StoredObject>()
        let now = now()
        let scope = try await headBucket(bucket).scope
        var version = VersionDraft(
            scope: scope, repository: Self.repository, artifact: Self.artifact(bucket, draft.key),
            createdBy: draft.owner)
        version.encryptionContext = draft.encryption.context
        _ = try await store.publish(content, version) { transaction, version in
            var draft = draft
            draft.content = version.id
            let row = try BucketRow.named(bucket, transaction)
            result.set(try Namespace.insert(draft, in: row, conditions: conditions, now: now, transaction))
        }
        return try result.get()
    }

    /// The repository of the store under which objects' bytes are kept; artifacts are called `BUCKET/KEY`.
    public static let repository = "s3"

    /// Begins to store an object's bytes, in the dedup domain of what they will be published as.
    func beginIngest(in bucket: Bucket, key: String, keyID: String?) async throws -> Ingest {
        try await store.beginIngest(
            scope: bucket.scope, keyID: keyID, repository: Self.repository, artifact: Self.artifact(bucket.name, key))
    }

    /// The artifact under which an object's bytes are kept; keys that are too long or odd for a name go by their hash.
    static func artifact(_ bucket: String, _ key: String) -> String {
        let name = "\(bucket)/\(key)"
        guard name.utf8.count > 1024 || name.utf8.contains(0) else { return name }
        return "\(bucket)/sha256:\(SHA256.digest(Array(key.utf8)).hex)"
    }

    /// What an encryption request means for an object: what is said of it, and the key for the store.
    func resolve(_ request: EncryptionRequest, for bucket: Bucket, key: String) async throws -> (
        ObjectEncryption, String?
    ) {
        switch (request, bucket.encryption) {
        case (.bucketDefault, .managed), (.managed, _): return (.managed, nil)
        case (.bucketDefault, .kms(var kms)):
            kms.usesBucketKey = bucket.usesBucketKey
            return (.kms(Self.bound(kms, to: bucket, key)), kms.keyARN)
        case (.kms(let request), let standard):
            let found = try await keys.resolveKey(request.keyID ?? standard.keyARN, in: bucket.scope)
            guard found.scope.region == bucket.scope.region else {
                throw KeyError(.notFound, "Invalid arn \(found.scope.region)")
            }
            let kms = KMSEncryption(
                keyARN: found.keyARN, isDoubleLayer: request.isDoubleLayer,
                usesBucketKey: request.usesBucketKey ?? bucket.usesBucketKey, context: request.context)
            return (.kms(Self.bound(kms, to: bucket, key)), found.keyARN)
        }
    }

    private static func bound(_ kms: KMSEncryption, to bucket: Bucket, _ key: String) -> KMSEncryption {
        var kms = kms
        kms.context[KMSEncryption.arnName] = kms.usesBucketKey ? bucket.arn : "\(bucket.arn)/\(key)"
        return kms
    }

    /// How an object would be encrypted, before anything is written. Throws `NoSuchBucket` and what KMS refuses.
    public func encryption(
        _ request: EncryptionRequest, bucket: String, key: String
    ) async throws -> ObjectEncryption {
        try await resolve(request, for: try await headBucket(bucket), key: key).0
    }
}
