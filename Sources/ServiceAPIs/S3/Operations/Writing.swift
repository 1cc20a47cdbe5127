import AWSProtocol
import HTTPTypes
import ObjectStorage

/// PUT and DELETE of objects.
extension S3Front {
    /// The most bytes of one PUT.
    static let putBytesMax: Int64 = 5 << 30

    func putObject(_ request: S3Request) async throws -> ServiceResponse {
        try checkLength(request)
        let checksums = try ChecksumHeaders(request)
        let options = try ObjectHeaders.options(request)
        try await requireWriting(options.encryption, request)
        let writer = try await objects.beginPut(
            bucket: request.bucketName, key: request.objectKey, options: options,
            checksums: checksums.algorithms, conditions: try request.writeConditions())
        let object: StoredObject
        do {
            for try await piece in request.http.body { try await writer.write(piece) }
            object = try await writer.finish(expecting: try checksums.expectation(request))
        } catch {
            await writer.abandon()
            throw error
        }
        var response = ServiceResponse(status: 200)
        response.setHeader("ETag", "\"\(object.etag)\"")
        // Of the `null` version a write says nothing.
        if object.versioning == .enabled { response.setHeader("x-amz-version-id", object.versionID) }
        response.setChecksum(object.checksum)
        response.setEncryption(object.encryption, withContext: true)
        return response
    }

    /// Throws `EntityTooLarge` for more than one request may carry, and `MissingContentLength` where nothing says where
    /// the body ends.
    func checkLength(_ request: S3Request) throws(AWSError) {
        guard let length = request.http.body.contentLength else {
            guard request.http.headers[.transferEncoding] != nil else {
                throw AWSError("MissingContentLength", "You must provide the Content-Length HTTP header.")
            }
            return
        }
        guard length <= Self.putBytesMax else {
            throw AWSError(
                "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size; upload it in parts.",
                fields: [("ProposedSize", String(length)), ("MaxSizeAllowed", String(Self.putBytesMax))])
        }
    }

    func deleteObject(_ request: S3Request) async throws -> ServiceResponse {
        try refuseBypass(request)
        let deletion: ObjectDeletion
        do {
            deletion = try await objects.delete(
                bucket: request.bucketName, key: request.objectKey, versionID: request.versionID,
                ifMatch: request.header("if-match"), owner: request.account)
        } catch let error as ObjectStorageError where error.code == "NoSuchVersion" {
            // Only a batch says which of its versions there never was.
            throw ObjectStorageError.invalidVersion(request.versionID ?? "")
        }
        var response = ServiceResponse(status: 204)
        if deletion.isDeleteMarker { response.setHeader("x-amz-delete-marker", "true") }
        response.setHeader("x-amz-version-id", ifPresent: deletion.versionID)
        return response
    }

    /// There is no Object Lock whose retention could be passed by.
    private func refuseBypass(_ request: S3Request) throws(AWSError) {
        let name = "x-amz-bypass-governance-retention"
        guard request.header(name) == nil else {
            throw AWSError(
                "InvalidArgument", "\(name) is only applicable to Object Lock enabled buckets.",
                fields: [("ArgumentName", name)])
        }
    }

    func deleteObjects(_ request: S3Request) async throws -> ServiceResponse {
        try refuseBypass(request)
        // A thousand keys of a kilobyte each, six bytes for an escaped character.
        let body = try await document(request, upTo: 8 << 20, requiringChecksum: true)
        let root = try XMLParser.parse(body, root: "Delete")
        let named = root.children("Object")
        guard (1...1000).contains(named.count) else { throw S3Error.malformedXML("Object") }
        var identifiers: [ObjectIdentifier] = []
        for element in named {
            guard let key = element.value("Key"), !key.isEmpty else { throw S3Error.malformedXML("Key") }
            let version = element.value("VersionId").flatMap { $0.isEmpty ? nil : $0 }
            if version != nil {
                try permit("s3:DeleteObjectVersion", on: "arn:aws:s3:::\(request.bucketName)/\(key)", request)
            } else {
                try permit("s3:DeleteObject", on: "arn:aws:s3:::\(request.bucketName)/\(key)", request)
            }
            identifiers.append(
                ObjectIdentifier(
                    key: key, versionID: version, ifMatch: element.value("ETag").flatMap { $0.isEmpty ? nil : $0 }))
        }
        let deletions = try await objects.delete(
            bucket: request.bucketName, identifiers, owner: request.account)
        let isQuiet = root.value("Quiet")?.lowercased() == "true"
        return S3Document.response("DeleteResult") { xml in
            for deletion in deletions { xml.deletion(deletion, isQuiet: isQuiet) }
        }
    }
}

extension XMLWriter {
    fileprivate mutating func deletion(_ deletion: ObjectDeletion, isQuiet: Bool) {
        if let error = deletion.error {
            element("Error") { xml in
                xml.element("Key", deletion.identifier.key)
                xml.element("VersionId", ifPresent: deletion.identifier.versionID)
                xml.element("Code", error.code)
                xml.element("Message", error.message)
            }
            return
        }
        guard !isQuiet else { return }
        element("Deleted") { xml in
            xml.element("Key", deletion.identifier.key)
            xml.element("VersionId", ifPresent: deletion.identifier.versionID)
            if deletion.isDeleteMarker {
                xml.element("DeleteMarker", "true")
                xml.element("DeleteMarkerVersionId", ifPresent: deletion.versionID)
            }
        }
    }
}
