import AWSProtocol
import ArtifactStore
import Foundation
import HTTPTypes
import ObjectStorage

/// GET and HEAD of objects.
extension S3Front {
    func getObject(_ request: S3Request) async throws -> ServiceResponse {
        do {
            return try await getObjectOnce(request)
        } catch let error as ObjectStorageError where error.code == "ConditionalRequestConflict" {
            // It has another tag now: conditions and ranges are judged again, against that.
            return try await getObjectOnce(request)
        }
    }

    private func getObjectOnce(_ request: S3Request) async throws -> ServiceResponse {
        let (object, portion) = try await locate(request)
        guard let portion else { return notModified(object) }
        try await require("Decrypt", object.encryption, request)
        var response = head(object, portion, request)
        let bytes = try await objects.read(object, range: portion.range)
        response.body = .stream(length: Int64(portion.range.count), bytes)
        return response
    }

    func headObject(_ request: S3Request) async throws -> ServiceResponse {
        let (object, portion) = try await locate(request)
        guard let portion else { return notModified(object) }
        var response = head(object, portion, request)
        response.headers[.contentLength] = String(portion.range.count)
        return response
    }

    /// What part of an object a request gets.
    private struct Portion {
        var range: Range<Int64>
        var isPartial = false
        var isPart = false
        /// Of exactly these bytes, when there is one.
        var checksum: ObjectChecksum?
    }

    /// Finds the object and the portion asked for; no portion when the client's copy is fresh.
    private func locate(_ request: S3Request) async throws -> (StoredObject, Portion?) {
        let object = try await objects.head(
            bucket: request.bucketName, key: request.objectKey, versionID: request.versionID)
        switch ReadConditions(request).judge(object) {
        case .proceed: break
        case .notModified: return (object, nil)
        case .failed(let condition): throw ReadConditions.failed(condition)
        }
        if let number = try request.integer("partNumber", in: 1...10_000) {
            guard request.header("range") == nil else {
                throw S3Error.invalidRequest("Cannot specify both Range header and partNumber query parameter")
            }
            return (object, try await part(number, of: object))
        }
        guard let header = request.header("range"), honoursRange(request, object),
            let range = try ByteRange.parse(header, size: object.size)
        else { return (object, Portion(range: 0..<object.size)) }
        return (object, Portion(range: range, isPartial: true))
    }

    /// Whether `If-Range` lets a range stand (RFC 9110 §13.1.5).
    private func honoursRange(_ request: S3Request, _ object: StoredObject) -> Bool {
        guard let condition = request.header("if-range") else { return true }
        if let date = S3Date.parseHTTP(condition) {
            return object.lastModified.timeIntervalSince1970.rounded(.down) <= date.timeIntervalSince1970
        }
        return EntityTag.bare(condition) == object.etag
    }

    private func part(_ number: Int, of object: StoredObject) async throws -> Portion {
        if object.partCount == 0, number == 1 {
            return Portion(
                range: 0..<object.size, isPartial: object.size > 0, isPart: true, checksum: object.checksum)
        }
        let part = try await objects.parts(of: object, after: number - 1, limit: 1).first
        guard let part, part.number == number else {
            throw AWSError(
                "InvalidPartNumber", "The requested partnumber is not satisfiable", httpStatus: 416,
                fields: [
                    ("PartNumberRequested", String(number)), ("ActualPartCount", String(max(object.partCount, 1))),
                ])
        }
        var portion = Portion(range: part.range, isPartial: true, isPart: true)
        // The checksum that the service chose is of the whole object only.
        if let whole = object.checksum, whole.algorithm != .crc64nvme, let value = part.checksum {
            portion.checksum = ObjectChecksum(algorithm: whole.algorithm, kind: whole.kind, value: value)
        }
        return portion
    }

    private func notModified(_ object: StoredObject) -> ServiceResponse {
        var response = ServiceResponse(status: 304)
        response.setHeader("ETag", "\"\(object.etag)\"")
        response.setHeader("Last-Modified", S3Date.http(object.lastModified))
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        response.setHeader("Cache-Control", ifPresent: object.metadata.cacheControl)
        response.setHeader("Expires", ifPresent: object.metadata.expires)
        return response
    }

    private func head(_ object: StoredObject, _ portion: Portion, _ request: S3Request) -> ServiceResponse {
        var response = ServiceResponse(status: portion.isPartial ? 206 : 200)
        response.describe(object)
        if portion.isPartial {
            let last = portion.range.upperBound - 1
            response.setHeader("Content-Range", "bytes \(portion.range.lowerBound)-\(last)/\(object.size)")
        }
        if portion.isPart, object.partCount > 0 {
            response.setHeader("x-amz-mp-parts-count", String(object.partCount))
        }
        // The checksum is the whole object's: with a part of the bytes, clients would compare it and fail.
        let isWhole = !portion.isPart && Int64(portion.range.count) == object.size
        if request.header("x-amz-checksum-mode")?.uppercased() == "ENABLED" {
            response.setChecksum(portion.checksum ?? (!portion.isPartial || isWhole ? object.checksum : nil))
        }
        for (parameter, header) in Self.overrides {
            response.setHeader(header, ifPresent: request[parameter])
        }
        return response
    }

    /// Query parameters that replace headers of the answer.
    private static let overrides = [
        ("response-content-type", "Content-Type"), ("response-content-language", "Content-Language"),
        ("response-expires", "Expires"), ("response-cache-control", "Cache-Control"),
        ("response-content-disposition", "Content-Disposition"), ("response-content-encoding", "Content-Encoding"),
    ]

    // MARK: Attributes

    func getObjectAttributes(_ request: S3Request) async throws -> ServiceResponse {
        let names = (request.header("x-amz-object-attributes") ?? "").split(separator: ",")
            .map { $0.filter { $0 != " " } }
        let known: Set<String> = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        guard !names.isEmpty, names.allSatisfy(known.contains) else {
            throw S3Error.invalidArgument(
                "Invalid attribute name specified.", name: "x-amz-object-attributes",
                value: request.header("x-amz-object-attributes") ?? "")
        }
        let wanted = Set(names)
        let object = try await objects.head(
            bucket: request.bucketName, key: request.objectKey, versionID: request.versionID)
        let limit = request.header("x-amz-max-parts").flatMap { Int($0) } ?? 1000
        let marker = request.header("x-amz-part-number-marker").flatMap { Int($0) } ?? 0
        let parts =
            wanted.contains("ObjectParts") && object.partCount > 0
            ? try await objects.parts(of: object, after: marker, limit: min(max(limit, 0), 1000) + 1) : []
        var response = S3Document.response("GetObjectAttributesResponse") { xml in
            if wanted.contains("ETag") { xml.element("ETag", object.etag) }
            if wanted.contains("Checksum"), let checksum = object.checksum {
                xml.element("Checksum") { xml in
                    // Without the number of parts that other answers append to the checksum of checksums.
                    xml.element(
                        checksum.algorithm.elementName,
                        checksum.kind == .composite ? String(checksum.value.prefix { $0 != "-" }) : checksum.value)
                    xml.element("ChecksumType", checksum.kind.rawValue)
                }
            }
            if wanted.contains("ObjectParts"), object.partCount > 0 {
                xml.element("ObjectParts") { $0.objectParts(parts, of: object, limit: limit, after: marker) }
            }
            if wanted.contains("StorageClass") { xml.element("StorageClass", object.storageClass) }
            if wanted.contains("ObjectSize") { xml.element("ObjectSize", String(object.size)) }
        }
        response.setHeader("Last-Modified", S3Date.http(object.lastModified))
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        return response
    }
}

extension XMLWriter {
    /// The content of `ObjectParts`; `parts` has one more than the page when there are more.
    fileprivate mutating func objectParts(_ parts: [ObjectPart], of object: StoredObject, limit: Int, after: Int) {
        let page = parts.prefix(limit)
        element("PartsCount", String(object.partCount))
        element("PartNumberMarker", String(after))
        element("NextPartNumberMarker", String(page.last?.number ?? 0))
        element("MaxParts", String(limit))
        element("IsTruncated", parts.count > page.count ? "true" : "false")
        for part in page {
            element("Part") { xml in
                xml.element("PartNumber", String(part.number))
                xml.element("Size", String(part.range.count))
                if let checksum = part.checksum, let algorithm = object.checksum?.algorithm {
                    xml.element(algorithm.elementName, checksum)
                }
            }
        }
    }
}
