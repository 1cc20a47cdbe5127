import Catalog
import Cryptography
import Foundation

/// A part as the client names it when it completes an upload.
public struct CompletedPart: Sendable, Hashable {
    /// The part's number.
    public let number: Int
    /// The part's entity tag, with or without quotes.
    public let etag: String
    /// Base64 by algorithm, as far as the client repeats them.
    public let checksums: [ChecksumAlgorithm: String]

    /// A part.
    public init(number: Int, etag: String, checksums: [ChecksumAlgorithm: String] = [:]) {
        self.number = number
        self.etag = etag
        self.checksums = checksums
    }
}

extension ObjectStorage {
    /// Completes an upload: its parts, in order, become one object. No byte is moved.
    ///
    /// Completing the same upload once more answers with the object it made, as long as that exists.
    ///
    /// - Parameter expectation: the object's whole size and checksum where the client states them; `md5` is not used.
    /// - Throws: `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `BadDigest`, `PreconditionFailed`.
    public func completeUpload(
        _ id: String, bucket name: String, key: String, parts named: [CompletedPart],
        expecting expectation: ContentExpectation = ContentExpectation(), conditions: WriteConditions = .none
    ) async throws -> StoredObject {
        try Self.checkOrder(named, of: id, key: key)
        let now = now()
        let partBytesMin = limits.partBytesMin
        let object = try await catalog.write { transaction in
            let row = try BucketRow.named(name, transaction)
            if let done = try Self.completed(id, key: key, in: row, transaction) { return done }
            let upload = try Multipart.upload(id, key: key, in: row, transaction)
            let parts = try Self.match(
                named, of: id, with: try Multipart.parts(of: id, transaction), partBytesMin: partBytesMin)
            var draft = ObjectDraft(key: key, owner: upload.owner)
            draft.size = parts.reduce(0) { $0 + $1.size }
            draft.etag = try Self.etag(of: parts)
            draft.metadata = upload.metadata
            draft.tags = upload.tags
            draft.storageClass = upload.storageClass
            draft.encryption = upload.encryption
            draft.upload = id
            draft.checksum = try MultipartChecksum.of(parts, chosen: upload.checksum)
            draft.segments = parts.map { part in
                ObjectDraft.Segment(
                    part: part.number, size: part.size, content: part.content, owned: part.owned,
                    presentation: .bytes, checksum: draft.checksum.flatMap { part.checksums[$0.algorithm.rawValue] })
            }
            try Self.check(expectation, against: draft)
            try Self.checkConflict(upload, in: row, conditions, transaction)
            let object = try Namespace.insert(draft, in: row, conditions: conditions, now: now, transaction)
            try Multipart.discard(id, now: now, transaction)
            return object
        }
        return object
    }

    /// Throws `ConditionalRequestConflict` when what the upload is to replace was written after the upload was begun.
    private static func checkConflict(
        _ upload: Multipart.Upload, in bucket: BucketRow, _ conditions: WriteConditions, _ transaction: Transaction
    ) throws {
        guard conditions.ifMatch != nil, let current = try Namespace.latest(upload.key, in: bucket, transaction)?.object
        else { return }
        try Namespace.check(conditions, against: current, key: upload.key)
        guard current.sequence < upload.rank else {
            throw ObjectStorageError(
                code: "ConditionalRequestConflict",
                message: "The conditional request cannot succeed due to a conflicting operation against this resource.",
                resource: upload.key, details: ["Condition": "If-Match", "Key": upload.key])
        }
    }

    private static func checkOrder(_ parts: [CompletedPart], of id: String, key: String) throws(ObjectStorageError) {
        guard !parts.isEmpty else {
            throw ObjectStorageError(
                code: "MalformedXML",
                message: "The XML you provided was not well-formed or did not validate against our published schema",
                resource: key)
        }
        for (part, next) in zip(parts, parts.dropFirst()) where next.number <= part.number {
            throw ObjectStorageError(
                code: "InvalidPartOrder",
                message: "The list of parts was not in ascending order. Parts must be ordered by part number.",
                resource: key, details: ["UploadId": id])
        }
    }

    /// The object that an earlier completion of this upload made.
    private static func completed(_ id: String, key: String, in bucket: BucketRow, _ transaction: Transaction) throws
        -> StoredObject?
    {
        try transaction.row(
            "SELECT * FROM object_versions WHERE bucket = ? AND key = ? AND upload = ?", bucket.id, Array(key.utf8), id
        ).map { try ObjectRow($0, in: bucket).object }
    }

    private static func match(
        _ named: [CompletedPart], of id: String, with stored: [Multipart.Part], partBytesMin: Int64
    ) throws -> [Multipart.Part] {
        let byNumber = Dictionary(uniqueKeysWithValues: stored.map { ($0.number, $0) })
        var parts: [Multipart.Part] = []
        for name in named {
            guard let part = byNumber[name.number], part.etag == EntityTag.bare(name.etag),
                name.checksums.allSatisfy({ part.checksums[$0.rawValue] == nil || part.checksums[$0.rawValue] == $1 })
            else {
                throw ObjectStorageError(
                    code: "InvalidPart",
                    message: "One or more of the specified parts could not be found.  The part may not have been "
                        + "uploaded, or the specified entity tag may not match the part's entity tag.",
                    details: [
                        "UploadId": id, "PartNumber": String(name.number), "ETag": EntityTag.bare(name.etag),
                    ])
            }
            parts.append(part)
        }
        for part in parts.dropLast() {
            guard part.size >= partBytesMin else {
                throw ObjectStorageError(
                    code: "EntityTooSmall",
                    message: "Your proposed upload is smaller than the minimum allowed size",
                    details: [
                        "ProposedSize": String(part.size), "MinSizeAllowed": String(partBytesMin),
                        "PartNumber": String(part.number), "ETag": part.etag,
                    ])
            }
        }
        return parts
    }

    fileprivate static func damaged(_ what: String, _ part: Multipart.Part) -> CatalogError {
        CatalogError(.corrupt, "the \(what) of part \(part.number) of an upload is damaged")
    }

    /// MD5 of the parts' MD5s and the number of parts.
    private static func etag(of parts: [Multipart.Part]) throws -> String {
        var digests: [UInt8] = []
        for part in parts {
            guard let digest = Hex.decode(part.etag) else { throw Self.damaged("entity tag", part) }
            digests += digest
        }
        return "\(Hex.encode(MD5.digest(digests)))-\(parts.count)"
    }

    private static func check(_ expectation: ContentExpectation, against draft: ObjectDraft) throws {
        if let size = expectation.byteCount, size != draft.size {
            throw ObjectStorageError.invalidRequest(
                "The provided 'x-amz-mp-object-size' header value \(size) does not match what was computed: "
                    + "\(draft.size)", draft.key)
        }
        for (algorithm, value) in expectation.checksums {
            guard let checksum = draft.checksum, checksum.algorithm == algorithm, checksum.value == value else {
                throw ObjectStorageError(
                    code: "BadDigest",
                    message: "The \(algorithm.rawValue) you specified did not match the calculated checksum.",
                    resource: draft.key)
            }
        }
    }
}

/// The checksum of an object from those of its parts.
enum MultipartChecksum {
    static func of(_ parts: [Multipart.Part], chosen: (algorithm: ChecksumAlgorithm, kind: ObjectChecksum.Kind)?) throws
        -> ObjectChecksum?
    {
        let (algorithm, kind) = chosen ?? (.crc64nvme, .fullObject)
        var values: [(raw: [UInt8], size: Int64)] = []
        for part in parts {
            guard let text = part.checksums[algorithm.rawValue] else { return nil }
            guard let raw = Base64.decode(text) else { throw ObjectStorage.damaged("checksum", part) }
            values.append((raw, part.size))
        }
        switch kind {
        case .fullObject:
            guard let polynomial = algorithm.polynomial else { return nil }
            var sum: UInt64 = 0
            for value in values {
                sum = polynomial.combine(sum, BigEndian.value(value.raw), secondBytes: value.size)
            }
            return ObjectChecksum(
                algorithm: algorithm, kind: kind, value: Base64.encode(BigEndian.bytes(sum, algorithm.byteCount)))
        case .composite:
            var hasher = ContentHasher([algorithm])
            for value in values { value.raw.withUnsafeBytes { hasher.update($0) } }
            let base64 = hasher.finish().base64(algorithm)
            return base64.map { ObjectChecksum(algorithm: algorithm, kind: kind, value: "\($0)-\(parts.count)") }
        }
    }
}

extension ChecksumAlgorithm {
    /// The polynomial of a cyclic redundancy check.
    var polynomial: ReflectedCRC? {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        case .sha1, .sha256: nil
        }
    }
}
