import AWSProtocol
import Foundation
import HTTPTypes
import KeyHierarchy
import ObjectStorage

/// Copies within the server.
extension S3Front {
    /// Finds the source of a copy, which the caller must be allowed to read, and checks the conditions on it.
    func copySource(_ request: S3Request) async throws -> StoredObject {
        let header = request.header("x-amz-copy-source") ?? ""
        var path = header[...]
        var version: String?
        if let mark = header.range(of: "?versionId=", options: .backwards) {
            version = PercentCoding.decode(header[mark.upperBound...])
            path = header[..<mark.lowerBound]
        }
        // As in forms: a plus sign that is meant is sent as %2B.
        let text = PercentCoding.decode(path.replacing("+", with: "%20")).drop { $0 == "/" }
        guard let slash = text.firstIndex(of: "/"), slash != text.startIndex,
            text.index(after: slash) != text.endIndex
        else {
            throw S3Error.invalidArgument(
                "Invalid copy source object key", name: "x-amz-copy-source", value: "x-amz-copy-source")
        }
        let bucket = String(text[..<slash])
        let key = String(text[text.index(after: slash)...])
        try permit(
            version == nil ? "s3:GetObject" : "s3:GetObjectVersion", on: "arn:aws:s3:::\(bucket)/\(key)", request)
        let owned = try await objects.headBucket(bucket)
        let expected = request.header("x-amz-source-expected-bucket-owner")
        guard owned.scope.account == request.account, expected == nil || expected == owned.scope.account else {
            throw S3Error.accessDenied
        }
        let source: StoredObject
        do {
            source = try await objects.head(bucket: bucket, key: key, versionID: version)
        } catch let error as ObjectStorageError where error.code == "MethodNotAllowed" {
            throw S3Error.invalidRequest(
                "The source of a copy request may not specifically refer to a delete marker by version id.")
        }
        try ReadConditions.copySource(request).requireForCopy(source)
        return source
    }

    func copyObject(_ request: S3Request) async throws -> ServiceResponse {
        let options = try ObjectHeaders.options(request)
        let source = try await copySource(request)
        guard source.size <= Self.putBytesMax else {
            throw S3Error.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                    + "\(Self.putBytesMax); copy it in parts.")
        }
        var changes = CopyChanges()
        changes.owner = request.account
        changes.encryption = options.encryption
        changes.storageClass = try ObjectHeaders.storageClass(request)
        changes.websiteRedirect = options.metadata.websiteRedirect
        changes.isOfNamedVersion = request.header("x-amz-copy-source")?.contains("?versionId=") ?? false
        changes.checksum = try ChecksumHeaders.algorithm(request.header("x-amz-checksum-algorithm"))
        if try isReplaced("x-amz-metadata-directive", request) { changes.metadata = options.metadata }
        if try isReplaced("x-amz-tagging-directive", request) { changes.tags = options.tags }
        try await require("Decrypt", source.encryption, request)
        try await requireWriting(changes.encryption, request)
        let object = try await objects.copy(
            source, to: request.bucketName, key: request.objectKey, changes: changes,
            conditions: try request.writeConditions())
        var response = S3Document.response("CopyObjectResult") { xml in
            xml.element("LastModified", S3Date.iso(object.lastModified))
            xml.element("ETag", "\"\(object.etag)\"")
            if let checksum = object.checksum { xml.element(checksum.algorithm.elementName, checksum.value) }
        }
        // Of the `null` version nothing is said.
        let version = source.shownVersionID.flatMap { $0 == "null" ? nil : $0 }
        response.setHeader("x-amz-copy-source-version-id", ifPresent: version)
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        response.setEncryption(object.encryption, withContext: true)
        return response
    }

    private func isReplaced(_ name: String, _ request: S3Request) throws(AWSError) -> Bool {
        switch request.header(name) {
        case nil, "COPY": return false
        case "REPLACE": return true
        case let other?:
            throw S3Error.invalidArgument("Unknown directive: COPY or REPLACE.", name: name, value: other)
        }
    }

    func uploadPartCopy(_ request: S3Request) async throws -> ServiceResponse {
        let (number, upload) = try partPlace(request)
        let source = try await copySource(request)
        var range: Range<Int64>?
        if let header = request.header("x-amz-copy-source-range") {
            range = try ByteRange.parseCopy(header, size: source.size)
        }
        try await require("Decrypt", source.encryption, request)
        let part = try await objects.copyPart(
            number, of: upload, bucket: request.bucketName, key: request.objectKey, from: source, range: range)
        let own = try await objects.upload(upload, bucket: request.bucketName, key: request.objectKey)
        var response = S3Document.response("CopyPartResult") { xml in
            xml.element("LastModified", S3Date.iso(part.lastModified))
            xml.element("ETag", "\"\(part.etag)\"")
            for (algorithm, value) in part.checksums where algorithm == own.checksumAlgorithm {
                xml.element(algorithm.elementName, value)
            }
        }
        response.setHeader("x-amz-copy-source-version-id", ifPresent: source.shownVersionID)
        response.setEncryption(own.encryption)
        return response
    }
}
