import AWSProtocol
import HTTPTypes
import ObjectStorage

/// Uploads in parts.
extension S3Front {
    func createMultipartUpload(_ request: S3Request) async throws -> ServiceResponse {
        let algorithm = try ChecksumHeaders.algorithm(request.header("x-amz-checksum-algorithm"))
        var kind: ObjectChecksum.Kind?
        if let name = request.header("x-amz-checksum-type") {
            guard let known = ObjectChecksum.Kind(rawValue: name.uppercased()) else {
                throw S3Error.invalidRequest("Value for x-amz-checksum-type header is invalid.")
            }
            kind = known
            guard algorithm != nil else {
                throw S3Error.invalidRequest(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
            }
        }
        let options = try ObjectHeaders.options(request)
        try await requireWriting(options.encryption, request)
        let upload = try await objects.createUpload(
            bucket: request.bucketName, key: request.objectKey, options: options,
            checksum: algorithm, kind: kind)
        var response = S3Document.response("InitiateMultipartUploadResult") { xml in
            xml.element("Bucket", upload.bucket)
            xml.element("Key", upload.key)
            xml.element("UploadId", upload.id)
        }
        response.setHeader("x-amz-checksum-algorithm", ifPresent: upload.checksumAlgorithm?.rawValue)
        response.setHeader("x-amz-checksum-type", ifPresent: upload.checksumKind?.rawValue)
        response.setEncryption(upload.encryption, withContext: true)
        return response
    }

    /// The part number and upload id of a request's query.
    func partPlace(_ request: S3Request) throws(AWSError) -> (number: Int, upload: String) {
        guard let number = request["partNumber"].flatMap({ Int($0) }), (1...10_000).contains(number) else {
            throw S3Error.invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber",
                value: request["partNumber"] ?? "")
        }
        guard let upload = request["uploadId"] else {
            throw S3Error.invalidArgument(
                "This operation does not accept a query-string without uploadId", name: "uploadId", value: "")
        }
        return (number, upload)
    }

    func uploadPart(_ request: S3Request) async throws -> ServiceResponse {
        try checkLength(request)
        let (number, upload) = try partPlace(request)
        let checksums = try ChecksumHeaders(request)
        let writer = try await objects.beginPart(
            number, of: upload, bucket: request.bucketName, key: request.objectKey, checksums: checksums.algorithms)
        let part: UploadedPart
        do {
            try await require("GenerateDataKey", await writer.encryption, request)
            if let own = await writer.checksumAlgorithm, let sent = checksums.algorithms.first, sent != own {
                throw S3Error.invalidRequest(
                    "Checksum Type mismatch occurred, expected checksum Type: \(own.rawValue.lowercased()), actual "
                        + "checksum Type: \(sent.rawValue.lowercased())")
            }
            for try await piece in request.http.body { try await writer.write(piece) }
            part = try await writer.finish(expecting: try checksums.expectation(request))
        } catch {
            await writer.abandon()
            throw error
        }
        var response = ServiceResponse(status: 200)
        response.setHeader("ETag", "\"\(part.etag)\"")
        let shown = await writer.checksumAlgorithm ?? checksums.algorithms.first
        if let shown { response.setHeader(shown.headerName, ifPresent: part.checksums[shown]) }
        response.setEncryption(await writer.encryption)
        return response
    }

    func completeMultipartUpload(_ request: S3Request) async throws -> ServiceResponse {
        // Ten thousand parts with their checksums.
        let body = try await request.http.body.collect(upTo: 8 << 20)
        let id = request["uploadId"] ?? ""
        // What says nothing is malformed, and that only of an upload that there is.
        if body.isEmpty { _ = try await objects.upload(id, bucket: request.bucketName, key: request.objectKey) }
        let root = try XMLParser.parse(body, root: "CompleteMultipartUpload")
        var parts: [CompletedPart] = []
        for element in root.children("Part") {
            guard let number = element.value("PartNumber").flatMap({ Int($0) }), let etag = element.value("ETag")
            else { throw S3Error.malformedXML("Part") }
            var checksums: [ChecksumAlgorithm: String] = [:]
            for algorithm in ChecksumAlgorithm.allCases {
                checksums[algorithm] = element.value(algorithm.elementName)
            }
            parts.append(CompletedPart(number: number, etag: etag, checksums: checksums))
        }
        let stated = try statedChecksum(request)
        let object = try await objects.completeUpload(
            id, bucket: request.bucketName, key: request.objectKey, parts: parts,
            expecting: stated, conditions: try request.writeConditions())
        var response = S3Document.response("CompleteMultipartUploadResult") { xml in
            let scheme = request.http.isSecure ? "https" : "http"
            let key = PercentCoding.encode(object.key, keepingSlash: true)
            xml.element("Location", "\(scheme)://\(request.http.authority)/\(object.bucket)/\(key)")
            xml.element("Bucket", object.bucket)
            xml.element("Key", object.key)
            xml.element("ETag", "\"\(object.etag)\"")
            if let checksum = object.checksum {
                xml.element(checksum.algorithm.elementName, checksum.value)
                xml.element("ChecksumType", checksum.kind.rawValue)
            }
        }
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        response.setEncryption(object.encryption)
        return response
    }

    /// What the headers of a completion say of the whole object.
    private func statedChecksum(_ request: S3Request) throws(AWSError) -> ContentExpectation {
        var expectation = ContentExpectation()
        for algorithm in ChecksumAlgorithm.allCases {
            if let value = request.header(algorithm.headerName) { expectation.checksums[algorithm] = value }
        }
        if let text = request.header("x-amz-mp-object-size") {
            guard let size = Int64(text), size >= 0 else {
                throw S3Error.invalidRequest("Value for x-amz-mp-object-size header is invalid.")
            }
            expectation.byteCount = size
        }
        return expectation
    }

    func abortMultipartUpload(_ request: S3Request) async throws -> ServiceResponse {
        try await objects.abortUpload(
            request["uploadId"] ?? "", bucket: request.bucketName, key: request.objectKey)
        return ServiceResponse(status: 204)
    }

    func listParts(_ request: S3Request) async throws -> ServiceResponse {
        let limit = min(try request.integer("max-parts", in: 0...Int(Int32.max)) ?? 1000, 1000)
        let marker = try request.integer("part-number-marker", in: 0...Int(Int32.max)) ?? 0
        let (upload, parts, isTruncated) = try await objects.listParts(
            of: request["uploadId"] ?? "", bucket: request.bucketName, key: request.objectKey, after: marker,
            limit: limit)
        return S3Document.response("ListPartsResult") { xml in
            xml.element("Bucket", upload.bucket)
            xml.element("Key", upload.key)
            xml.element("UploadId", upload.id)
            xml.owner(upload.owner, element: "Initiator")
            xml.owner(upload.owner)
            xml.element("StorageClass", upload.storageClass)
            xml.element("PartNumberMarker", String(marker))
            xml.element("NextPartNumberMarker", String(parts.last?.number ?? 0))
            xml.element("MaxParts", String(limit))
            xml.element("IsTruncated", isTruncated ? "true" : "false")
            xml.element("ChecksumAlgorithm", ifPresent: upload.checksumAlgorithm?.rawValue)
            xml.element("ChecksumType", ifPresent: upload.checksumKind?.rawValue)
            for part in parts {
                xml.element("Part") { xml in
                    xml.element("PartNumber", String(part.number))
                    xml.element("LastModified", S3Date.iso(part.lastModified))
                    xml.element("ETag", "\"\(part.etag)\"")
                    xml.element("Size", String(part.size))
                    if let algorithm = upload.checksumAlgorithm {
                        xml.element(algorithm.elementName, ifPresent: part.checksums[algorithm])
                    }
                }
            }
        }
    }
}
