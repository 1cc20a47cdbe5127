import ArtifactStore
import Catalog
import Foundation

/// One row of `object_versions`.
struct ObjectRow: Sendable {
    let bucketID: Int64
    let rank: Int64
    let owned: Bool
    let upload: String?
    let object: StoredObject

    init(_ row: Row, in bucket: BucketRow) throws {
        bucketID = try row.int64("bucket")
        rank = try row.int64("rank")
        owned = try row.bool("owned")
        upload = try row.optionalString("upload")
        object = StoredObject(
            bucket: bucket.bucket.name,
            key: String(decoding: try row.bytes("key"), as: UTF8.self),
            versionID: try row.string("version"),
            versioning: bucket.bucket.versioning,
            size: try row.int64("size"),
            etag: try row.string("etag"),
            lastModified: try row.date("modified"),
            isDeleteMarker: try row.bool("marker"),
            isLatest: try row.bool("latest"),
            metadata: try RowCoding.metadata(try row.string("metadata")),
            tags: try RowCoding.tags(try row.string("tags")),
            checksum: try RowCoding.checksum(row),
            encryption: try RowCoding.objectEncryption(row),
            storageClass: try row.string("storage_class"),
            owner: try row.string("owner"),
            content: try row.optionalString("content").flatMap(VersionID.init(_:)),
            presentation: ObjectPresentation(rawValue: try row.int("presentation")) ?? .bytes,
            partCount: try row.int("parts"),
            sequence: -rank)
    }
}

/// How structured values lie in columns.
enum RowCoding {
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func encodeTags(_ tags: [ObjectTag]) throws -> String { tags.isEmpty ? "" : try encode(tags) }

    static func metadata(_ text: String) throws -> ObjectMetadata {
        try JSONDecoder().decode(ObjectMetadata.self, from: Data(text.utf8))
    }

    static func tags(_ text: String) throws -> [ObjectTag] {
        text.isEmpty ? [] : try JSONDecoder().decode([ObjectTag].self, from: Data(text.utf8))
    }

    static func checksum(_ row: Row) throws -> ObjectChecksum? {
        guard let algorithm = try row.optionalString("checksum_algorithm").flatMap(ChecksumAlgorithm.init(rawValue:)),
            let kind = try row.optionalString("checksum_type").flatMap(ObjectChecksum.Kind.init(rawValue:)),
            let value = try row.optionalString("checksum")
        else { return nil }
        return ObjectChecksum(algorithm: algorithm, kind: kind, value: value)
    }

    static func encryption(_ row: Row) throws -> ObjectEncryption {
        let name = try row.string("encryption")
        guard name.hasPrefix("aws:kms"), let key = try row.optionalString("encryption_key") else { return .managed }
        return .kms(KMSEncryption(keyARN: key, isDoubleLayer: name == "aws:kms:dsse"))
    }

    /// The same with what rows of objects and uploads say besides.
    static func objectEncryption(_ row: Row) throws -> ObjectEncryption {
        guard case .kms(var kms) = try encryption(row) else { return .managed }
        kms.usesBucketKey = try row.bool("bucket_key")
        if let text = try row.optionalString("encryption_context") {
            kms.context = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        }
        return .kms(kms)
    }
}

extension ObjectEncryption {
    /// The name in the column `encryption`, which is also the one on the wire.
    var columnName: String {
        switch self {
        case .managed: "AES256"
        case .kms(let kms): kms.isDoubleLayer ? "aws:kms:dsse" : "aws:kms"
        }
    }

    /// Whether the data key is bound to the bucket only.
    var usesBucketKey: Bool { if case .kms(let kms) = self { kms.usesBucketKey } else { false } }

    /// The context that binds the data key; `nil` where the store binds it.
    var context: [String: String]? {
        guard case .kms(let kms) = self, !kms.context.isEmpty else { return nil }
        return kms.context
    }

    /// The context as its column holds it.
    func contextColumn() throws -> String? { try context.map(RowCoding.encode) }

    /// The ARN of the key, where one is named.
    public var keyARN: String? {
        switch self {
        case .managed: nil
        case .kms(let kms): kms.keyARN
        }
    }
}
