import AWSProtocol
import HTTPTypes
import ObjectStorage

/// Tags of objects.
extension S3Front {
    func getObjectTagging(_ request: S3Request) async throws -> ServiceResponse {
        let object = try await Self.refusingMarkers {
            try await objects.head(bucket: request.bucketName, key: request.objectKey, versionID: request.versionID)
        }
        var response = S3Document.response("Tagging") { xml in
            xml.tagSet(object.tags.map { ($0.key, $0.value) })
        }
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        return response
    }

    func putObjectTagging(_ request: S3Request) async throws -> ServiceResponse {
        let tags = try Tags.document(try await document(request))
        return try await setTags(tags, request, status: 200)
    }

    func deleteObjectTagging(_ request: S3Request) async throws -> ServiceResponse {
        try await setTags([], request, status: 204)
    }

    private func setTags(_ tags: [ObjectTag], _ request: S3Request, status: Int) async throws -> ServiceResponse {
        let object = try await Self.refusingMarkers {
            try await objects.setTags(
                tags, bucket: request.bucketName, key: request.objectKey, versionID: request.versionID)
        }
        var response = ServiceResponse(status: status)
        response.setHeader("x-amz-version-id", ifPresent: object.shownVersionID)
        return response
    }

    /// A delete marker has no tags, whether it is named or the newest version.
    private static func refusingMarkers(_ find: () async throws -> StoredObject) async throws -> StoredObject {
        do {
            return try await find()
        } catch let error as ObjectStorageError
            where error.code == "NoSuchKey" && error.details[ObjectStorageError.deleteMarkerDetail] != nil
        {
            throw ObjectStorageError(
                code: "MethodNotAllowed", message: "The specified method is not allowed against this resource.",
                resource: error.resource, details: ["ResourceType": "DeleteMarker"])
        }
    }
}
