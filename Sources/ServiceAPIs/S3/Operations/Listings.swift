import AWSProtocol
import Cryptography
import HTTPTypes
import ObjectStorage

/// A place in a listing as an opaque text.
enum ContinuationToken {
    static func encode(_ position: String) -> String { Base64.encodeURL(Array("1\(position)".utf8)) }

    static func decode(_ token: String) throws(AWSError) -> String {
        guard let bytes = Base64.decodeURL(token), bytes.first == UInt8(ascii: "1"),
            let position = String(validating: bytes.dropFirst(), as: UTF8.self)
        else {
            throw S3Error.invalidArgument(
                "The continuation token provided is incorrect", name: "continuation-token", value: token)
        }
        return position
    }
}

/// Writes keys as the client asked: plainly, or percent-encoded where XML could not carry them.
private struct KeyEncoding {
    let isURL: Bool

    init(_ request: S3Request) throws(AWSError) {
        switch request["encoding-type"] {
        case nil: isURL = false
        case "url": isURL = true
        case let other?:
            throw S3Error.invalidArgument(
                "Invalid Encoding Method specified in Request", name: "encoding-type", value: other)
        }
    }

    func callAsFunction(_ text: String) -> String {
        isURL ? PercentCoding.encode(text, keepingSlash: true) : text
    }
}

/// Listings.
extension S3Front {
    private func query(_ request: S3Request, after: String, limitName: String = "max-keys") throws(AWSError)
        -> ListQuery
    {
        let limit = try request.integer(limitName, in: 0...Int(Int32.max)) ?? 1000
        return ListQuery(
            prefix: request.raw("prefix") ?? "", delimiter: request.raw("delimiter") ?? "", after: after,
            limit: min(limit, 1000))
    }

    func listObjects(_ request: S3Request) async throws -> ServiceResponse {
        let encode = try KeyEncoding(request)
        let marker = request.raw("marker") ?? ""
        let query = try query(request, after: marker)
        let page = try await objects.list(request.bucketName, query)
        return S3Document.response("ListBucketResult") { xml in
            xml.element("Name", request.bucketName)
            xml.element("Prefix", encode(query.prefix))
            xml.element("Marker", encode(marker))
            if page.isTruncated, !query.delimiter.isEmpty, let last = page.lastKey {
                xml.element("NextMarker", encode(last))
            }
            xml.element("MaxKeys", String(query.limit))
            if !query.delimiter.isEmpty { xml.element("Delimiter", encode(query.delimiter)) }
            if encode.isURL { xml.element("EncodingType", "url") }
            xml.element("IsTruncated", page.isTruncated ? "true" : "false")
            for entry in page.entries { xml.contents(entry, encode, withOwner: true) }
            xml.commonPrefixes(page.commonPrefixes, encode)
        }
    }

    func listObjectsV2(_ request: S3Request) async throws -> ServiceResponse {
        let encode = try KeyEncoding(request)
        let startAfter = request.raw("start-after") ?? ""
        let token = request.raw("continuation-token")
        if token?.isEmpty ?? false { _ = try ContinuationToken.decode("") }
        let query = try query(request, after: try token.map(ContinuationToken.decode) ?? startAfter)
        let page = try await objects.list(request.bucketName, query)
        let withOwner = request["fetch-owner"]?.lowercased() == "true"
        return S3Document.response("ListBucketResult") { xml in
            xml.element("Name", request.bucketName)
            xml.element("Prefix", encode(query.prefix))
            xml.element("KeyCount", String(page.entries.count + page.commonPrefixes.count))
            xml.element("MaxKeys", String(query.limit))
            if !query.delimiter.isEmpty { xml.element("Delimiter", encode(query.delimiter)) }
            if encode.isURL { xml.element("EncodingType", "url") }
            xml.element("IsTruncated", page.isTruncated ? "true" : "false")
            xml.element("ContinuationToken", ifPresent: token)
            if page.isTruncated, let last = page.lastKey {
                xml.element("NextContinuationToken", ContinuationToken.encode(last))
            }
            if token == nil, !startAfter.isEmpty { xml.element("StartAfter", encode(startAfter)) }
            for entry in page.entries { xml.contents(entry, encode, withOwner: withOwner) }
            xml.commonPrefixes(page.commonPrefixes, encode)
        }
    }

    func listObjectVersions(_ request: S3Request) async throws -> ServiceResponse {
        let encode = try KeyEncoding(request)
        let keyMarker = request.raw("key-marker") ?? ""
        let versionMarker = request["version-id-marker"]
        if versionMarker != nil, keyMarker.isEmpty {
            throw S3Error.invalidArgument(
                "A version-id marker cannot be specified without a key marker.", name: "version-id-marker",
                value: versionMarker ?? "")
        }
        let query = try query(request, after: keyMarker)
        let page = try await objects.listVersions(request.bucketName, query, afterVersion: versionMarker)
        return S3Document.response("ListVersionsResult") { xml in
            xml.element("Name", request.bucketName)
            xml.element("Prefix", encode(query.prefix))
            xml.element("KeyMarker", encode(keyMarker))
            xml.element("VersionIdMarker", versionMarker ?? "")
            if page.isTruncated, let last = page.lastKey {
                xml.element("NextKeyMarker", encode(last))
                xml.element("NextVersionIdMarker", ifPresent: page.lastVersionID)
            }
            xml.element("MaxKeys", String(query.limit))
            if !query.delimiter.isEmpty { xml.element("Delimiter", encode(query.delimiter)) }
            if encode.isURL { xml.element("EncodingType", "url") }
            xml.element("IsTruncated", page.isTruncated ? "true" : "false")
            for entry in page.entries { xml.version(entry, encode) }
            xml.commonPrefixes(page.commonPrefixes, encode)
        }
    }

    func listMultipartUploads(_ request: S3Request) async throws -> ServiceResponse {
        let encode = try KeyEncoding(request)
        let keyMarker = request.raw("key-marker") ?? ""
        // Without a key marker an upload marker means nothing and is ignored.
        let uploadMarker = keyMarker.isEmpty ? nil : request["upload-id-marker"]
        let query = try query(request, after: keyMarker, limitName: "max-uploads")
        let page = try await objects.listUploads(request.bucketName, query, afterUpload: uploadMarker)
        return S3Document.response("ListMultipartUploadsResult") { xml in
            xml.element("Bucket", request.bucketName)
            xml.element("KeyMarker", encode(keyMarker))
            xml.element("UploadIdMarker", uploadMarker ?? "")
            // Where there is more, a common prefix is a place to go on from as well.
            let last = page.isTruncated || page.lastUploadID != nil ? page.lastKey : nil
            xml.element("NextKeyMarker", encode(last ?? ""))
            xml.element("NextUploadIdMarker", page.lastUploadID ?? "")
            if !query.prefix.isEmpty { xml.element("Prefix", encode(query.prefix)) }
            if !query.delimiter.isEmpty { xml.element("Delimiter", encode(query.delimiter)) }
            if encode.isURL { xml.element("EncodingType", "url") }
            xml.element("MaxUploads", String(query.limit))
            xml.element("IsTruncated", page.isTruncated ? "true" : "false")
            for upload in page.uploads { xml.upload(upload, encode) }
            xml.commonPrefixes(page.commonPrefixes, encode)
        }
    }
}

extension XMLWriter {
    fileprivate mutating func contents(_ entry: ObjectSummary, _ encode: KeyEncoding, withOwner: Bool) {
        element("Contents") { xml in
            xml.element("Key", encode(entry.key))
            xml.summary(entry)
            if withOwner { xml.owner(entry.owner) }
        }
    }

    fileprivate mutating func version(_ entry: ObjectSummary, _ encode: KeyEncoding) {
        element(entry.isDeleteMarker ? "DeleteMarker" : "Version") { xml in
            xml.element("Key", encode(entry.key))
            xml.element("VersionId", entry.versionID)
            xml.element("IsLatest", entry.isLatest ? "true" : "false")
            if entry.isDeleteMarker {
                xml.element("LastModified", S3Date.iso(entry.lastModified))
            } else {
                xml.summary(entry)
            }
            xml.owner(entry.owner)
        }
    }

    private mutating func summary(_ entry: ObjectSummary) {
        element("LastModified", S3Date.iso(entry.lastModified))
        element("ETag", "\"\(entry.etag)\"")
        if let checksum = entry.checksum {
            element("ChecksumAlgorithm", checksum.algorithm.rawValue)
            element("ChecksumType", checksum.kind.rawValue)
        }
        element("Size", String(entry.size))
        element("StorageClass", entry.storageClass)
    }

    fileprivate mutating func upload(_ upload: MultipartUpload, _ encode: KeyEncoding) {
        element("Upload") { xml in
            xml.element("Key", encode(upload.key))
            xml.element("UploadId", upload.id)
            xml.owner(upload.owner, element: "Initiator")
            xml.owner(upload.owner)
            xml.element("StorageClass", upload.storageClass)
            xml.element("Initiated", S3Date.iso(upload.initiated))
            xml.element("ChecksumAlgorithm", ifPresent: upload.checksumAlgorithm?.rawValue)
            xml.element("ChecksumType", ifPresent: upload.checksumKind?.rawValue)
        }
    }

    fileprivate mutating func commonPrefixes(_ prefixes: [String], _ encode: KeyEncoding) {
        for prefix in prefixes {
            element("CommonPrefixes") { $0.element("Prefix", encode(prefix)) }
        }
    }
}
