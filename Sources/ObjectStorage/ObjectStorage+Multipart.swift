import ArtifactStore
import Catalog
import Cryptography
public import Foundation
import KeyHierarchy

/// An upload in progress.
public struct MultipartUpload: Sendable, Hashable {
    /// The upload's id.
    public let id: String
    /// The bucket's name.
    public let bucket: String
    /// The key that the object will have.
    public let key: String
    /// When the upload was begun.
    public let initiated: Date
    /// The account that began it.
    public let owner: String
    /// The storage class that the object will have.
    public let storageClass: String
    /// How the object will be encrypted.
    public let encryption: ObjectEncryption
    /// The algorithm chosen for parts and object.
    public let checksumAlgorithm: ChecksumAlgorithm?
    /// The kind of checksum that the object will have.
    public let checksumKind: ObjectChecksum.Kind?

    init(_ upload: Multipart.Upload, bucket: String) {
        id = upload.id
        self.bucket = bucket
        key = upload.key
        initiated = upload.initiated
        owner = upload.owner
        storageClass = upload.storageClass
        encryption = upload.encryption
        checksumAlgorithm = upload.checksum?.algorithm
        checksumKind = upload.checksum?.kind
    }
}

/// A part of an upload in progress.
public struct UploadedPart: Sendable, Hashable {
    /// 1 to 10,000.
    public let number: Int
    /// Bytes.
    public let size: Int64
    /// MD5 of the bytes in hexadecimal, without quotes.
    public let etag: String
    /// When it arrived.
    public let lastModified: Date
    /// Base64 by algorithm.
    public let checksums: [ChecksumAlgorithm: String]

    init(_ part: Multipart.Part) {
        number = part.number
        size = part.size
        etag = part.etag
        lastModified = part.modified
        checksums = Dictionary(
            uniqueKeysWithValues: part.checksums.compactMap { name, value in
                ChecksumAlgorithm(rawValue: name).map { ($0, value) }
            })
    }
}

extension ObjectStorage {
    /// Begins an upload in parts.
    public func createUpload(
        bucket name: String, key: String, options: ObjectOptions = ObjectOptions(),
        checksum: ChecksumAlgorithm? = nil, kind: ObjectChecksum.Kind? = nil
    ) async throws -> MultipartUpload {
        try ObjectKey.validate(key)
        let kind = kind ?? checksum?.multipartDefault
        if let checksum, let kind, !checksum.allows(kind) {
            throw ObjectStorageError.invalidRequest(
                "The \(kind.rawValue) checksum type cannot be used with the \(checksum.rawValue) checksum algorithm.",
                key)
        }
        let bucket = try await headBucket(name)
        let (encryption, _) = try await resolve(options.encryption, for: bucket, key: key)
        let now = now()
        return try await catalog.write { transaction in
            let row = try BucketRow.named(name, transaction)
            let sequence = try Sequence.next(transaction)
            let id = VersionIdentifier.make(sequence: sequence)
            try transaction.execute(
                """
                INSERT INTO object_uploads (
                    id, bucket, key, rank, initiated, owner, checksum_algorithm, checksum_type, encryption,
                    encryption_key, encryption_context, bucket_key, storage_class, metadata, tags)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                id, row.id, Array(key.utf8), sequence, now, options.owner ?? bucket.scope.account, checksum?.rawValue,
                checksum == nil ? nil : kind?.rawValue, encryption.columnName, encryption.keyARN,
                try encryption.contextColumn(), encryption.usesBucketKey, options.storageClass,
                try RowCoding.encode(options.metadata), try RowCoding.encodeTags(options.tags))
            return MultipartUpload(try Multipart.upload(id, key: key, in: row, transaction), bucket: name)
        }
    }

    /// The upload with this id. Throws `NoSuchUpload`.
    public func upload(_ id: String, bucket: String, key: String) async throws -> MultipartUpload {
        try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            return MultipartUpload(try Multipart.upload(id, key: key, in: row, transaction), bucket: bucket)
        }
    }

    /// Begins to write a part.
    ///
    /// - Parameter checksums: algorithms to compute besides the upload's own.
    public func beginPart(
        _ number: Int, of id: String, bucket: String, key: String, checksums: Set<ChecksumAlgorithm> = []
    ) async throws -> PartWriter {
        guard (1...limits.partNumberMax).contains(number) else {
            throw ObjectStorageError.invalidArgument(
                "Part number must be an integer between 1 and \(limits.partNumberMax), inclusive", String(number))
        }
        let (scope, upload) = try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            return (row.bucket, try Multipart.upload(id, key: key, in: row, transaction))
        }
        let own = upload.checksum?.algorithm ?? .crc64nvme
        let ingest = try await beginIngest(in: scope, key: upload.key, keyID: upload.encryption.keyARN)
        let sink = try await ContentSink(ingest, algorithms: checksums.union([own]))
        return PartWriter(self, bucket: scope, upload: upload, number: number, sink: sink)
    }

    /// Makes a part from a range of an existing object.
    public func copyPart(
        _ number: Int, of id: String, bucket: String, key: String, from source: StoredObject, range: Range<Int64>? = nil
    ) async throws -> UploadedPart {
        let writer = try await beginPart(number, of: id, bucket: bucket, key: key)
        do {
            for try await piece in try await read(source, range: range) { try await writer.write(piece) }
            let count = range.map { Int64($0.count) } ?? source.size
            return try await writer.finish(expecting: ContentExpectation(byteCount: count))
        } catch {
            await writer.abandon()
            throw error
        }
    }

    /// Gives an upload up and deletes its parts. Throws `NoSuchUpload`.
    public func abortUpload(_ id: String, bucket: String, key: String) async throws {
        let now = now()
        try await catalog.write { transaction in
            let row = try BucketRow.named(bucket, transaction)
            _ = try Multipart.upload(id, key: key, in: row, transaction)
            try Multipart.discard(id, now: now, transaction)
        }
    }

    /// The parts of an upload after a number, and whether there are more than `limit`.
    public func listParts(of id: String, bucket: String, key: String, after: Int = 0, limit: Int = 1000) async throws
        -> (upload: MultipartUpload, parts: [UploadedPart], isTruncated: Bool)
    {
        let limit = max(0, min(limit, limits.pageMax))
        return try await catalog.read { transaction in
            let row = try BucketRow.named(bucket, transaction)
            let upload = try Multipart.upload(id, key: key, in: row, transaction)
            let parts = try Multipart.parts(of: id, after: after, limit: limit + 1, transaction)
            return (
                MultipartUpload(upload, bucket: bucket), parts.prefix(limit).map(UploadedPart.init),
                limit > 0 && parts.count > limit
            )
        }
    }
}

/// A write of one part under way.
public actor PartWriter {
    private let storage: ObjectStorage
    private let bucket: Bucket
    private let upload: Multipart.Upload
    private let number: Int
    private let sink: ContentSink

    init(_ storage: ObjectStorage, bucket: Bucket, upload: Multipart.Upload, number: Int, sink: ContentSink) {
        self.storage = storage
        self.bucket = bucket
        self.upload = upload
        self.number = number
        self.sink = sink
    }

    /// How the object will be encrypted.
    public var encryption: ObjectEncryption { upload.encryption }

    /// The algorithm that the upload asks of its parts.
    public var checksumAlgorithm: ChecksumAlgorithm? { upload.checksum?.algorithm }

    /// Adds bytes. Returns when the store has taken them.
    public func write(_ bytes: [UInt8]) async throws { try await sink.write(bytes) }

    /// Keeps the part: once this returns, it is on disk, in place of an earlier one with its number.
    public func finish(expecting expectation: ContentExpectation = ContentExpectation()) async throws -> UploadedPart {
        let (content, digests) = try await sink.finish(expecting: expectation, resource: upload.key)
        return try await storage.publishPart(number, of: upload, in: bucket, content, digests)
    }

    /// Gives the bytes up.
    public func abandon() async { await sink.abandon() }
}

extension ObjectStorage {
    fileprivate func publishPart(
        _ number: Int, of upload: Multipart.Upload, in bucket: Bucket, _ content: StagedContent,
        _ digests: ContentDigests
    ) async throws -> UploadedPart {
        var checksums: [String: String] = [:]
        for (algorithm, value) in digests.checksums { checksums[algorithm.rawValue] = Base64.encode(value) }
        var draft = VersionDraft(
            scope: bucket.scope, repository: Self.repository, artifact: Self.artifact(bucket.name, upload.key),
            createdBy: upload.owner, attributes: ["upload": upload.id, "part": String(number)])
        draft.encryptionContext = upload.encryption.context
        let result = Handover<UploadedPart>()
        let now = now()
        _ = try await store.publish(content, draft) { [checksums] transaction, version in
            let row = try BucketRow.named(bucket.name, transaction)
            // The upload may have been completed or aborted while the bytes arrived.
            _ = try Multipart.upload(upload.id, key: upload.key, in: row, transaction)
            try Multipart.addPart(
                number, of: upload.id, size: digests.byteCount, etag: digests.etag, content: version.id, owned: true,
                checksums: checksums, now: now, transaction)
            let part = try Multipart.parts(of: upload.id, after: number - 1, limit: 1, transaction).first
            guard let part else { throw CatalogError(.corrupt, "the row of a part vanished inside its transaction") }
            result.set(UploadedPart(part))
        }
        return try result.get()
    }

    /// Runs `body` with a sink for bytes and gives them up when it fails.
    func withSink<Result>(
        _ bucket: Bucket, _ key: String, _ keyID: String?, _ algorithms: Set<ChecksumAlgorithm>,
        _ body: (ContentSink) async throws -> Result
    ) async throws -> Result {
        let ingest = try await beginIngest(in: bucket, key: key, keyID: keyID)
        let sink = try await ContentSink(ingest, algorithms: algorithms)
        do {
            return try await body(sink)
        } catch {
            await sink.abandon()
            throw error
        }
    }
}
