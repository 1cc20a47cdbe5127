public import AWSProtocol
public import AccessControl
import Foundation
import HTTPTypes
import KeyHierarchy
public import Logging
public import ObjectStorage

/// Amazon S3 over ``ObjectStorage``: REST and XML, path-style.
///
/// Bodies stream both ways; nothing but small documents is held in memory. Each operation is a function that takes the
/// request apart, asks the storage and encodes the answer.
public struct S3Front: ServiceFront {
    let objects: ObjectStorage
    let access: AccessControl
    let baseDomain: String?
    let useKey: @Sendable (ObjectKeyUse, ServiceRequest) async throws -> Void
    let bucketKeys: BucketKeyUses?
    let logger: Logger

    /// - Parameters:
    ///   - baseDomain: the domain below which hosts are called after buckets; `nil` for path-style only.
    ///   - keyChanges: grows whenever anything about keys changes; with it, KMS is asked about objects with bucket keys once in
    ///     five minutes. `nil`: for each object.
    ///   - useKey: asked before an object's KMS key is used; throws what KMS refuses. Key states are enforced without it.
    public init(
        objects: ObjectStorage, access: AccessControl, baseDomain: String? = nil,
        keyChanges: (@Sendable () -> UInt64)? = nil,
        useKey: @escaping @Sendable (ObjectKeyUse, ServiceRequest) async throws -> Void = { _, _ in },
        logger: Logger = Logger(label: "s3")
    ) {
        self.objects = objects
        self.access = access
        self.baseDomain = baseDomain
        self.useKey = useKey
        bucketKeys = keyChanges.map(BucketKeyUses.init)
        self.logger = logger
    }

    /// Answers one authenticated request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        do {
            let request = try S3Request(request, baseDomain: baseDomain)
            let operation = try S3Operation.choose(request)
            let bucket = try await authorize(operation, request)
            var response = try await perform(operation, request)
            if operation == .listObjects || operation == .listObjectsV2 {
                response.setHeader("x-amz-bucket-region", ifPresent: bucket?.scope.region)
            }
            response.setHeader("x-amz-request-id", RequestID.s3Form(request.http.requestID))
            response.setHeader("x-amz-id-2", request.http.requestID)
            return response
        } catch {
            return failure(error, request)
        }
    }

    private func failure(_ error: any Error, _ request: ServiceRequest) -> ServiceResponse {
        let known = S3Error.translate(error, method: request.method)
        if known == nil {
            logger.error(
                "a request failed", metadata: ["request": "\(request.requestID)", "error": "\(error)"])
        }
        var response = ServiceResponse.failure(
            known ?? AWSError.internalFailure(in: .restXML), to: request, in: .restXML)
        if let marker = (error as? ObjectStorageError)?.details[ObjectStorageError.deleteMarkerDetail] {
            response.setHeader("x-amz-delete-marker", "true")
            response.setHeader("x-amz-version-id", marker)
            if response.status == 405 { response.setHeader("Allow", "DELETE") }
        }
        return response
    }

    // MARK: Authorisation

    /// Throws `AccessDenied` unless the caller may do this: the account's own to the account's own buckets, and within
    /// what its grant says. Returns the bucket, unless it is about to be created.
    private func authorize(_ operation: S3Operation, _ request: S3Request) async throws -> Bucket? {
        var resource = "*"
        if let bucket = request.bucket { resource = "arn:aws:s3:::\(bucket)" }
        if let key = request.key { resource += "/\(key)" }
        try permit(operation.action(request), on: resource, request)
        guard let bucket = request.bucket, operation != .createBucket else { return nil }
        return try await requireOwner(of: bucket, request)
    }

    /// Throws `AccessDenied` unless the caller's credentials allow an action on a resource.
    func permit(_ action: String, on resource: String, _ request: S3Request) throws(AWSError) {
        let principal = try request.http.requirePrincipal()
        do {
            try access.authorize(principal, action: action, resource: resource)
        } catch {
            throw AWSError("AccessDenied", "\(error)")
        }
    }

    /// Throws `NoSuchBucket`, or `AccessDenied` for a bucket of another account.
    @discardableResult
    func requireOwner(of name: String, _ request: S3Request) async throws -> Bucket {
        let bucket = try await objects.headBucket(name)
        guard bucket.scope.account == request.account else { throw S3Error.accessDenied }
        if let expected = request.header("x-amz-expected-bucket-owner") {
            guard expected.utf8.count == 12, expected.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw AWSError(
                    "InvalidBucketOwnerAWSAccountID",
                    "The value of the expected bucket owner parameter must be an AWS Account ID... [\(expected)]")
            }
            guard expected == bucket.scope.account else { throw S3Error.accessDenied }
        }
        return bucket
    }

    // MARK: Dispatch

    private func perform(_ operation: S3Operation, _ request: S3Request) async throws -> ServiceResponse {
        switch operation {
        case .listBuckets: try await listBuckets(request)
        case .createBucket: try await createBucket(request)
        case .deleteBucket: try await deleteBucket(request)
        case .headBucket: try await headBucket(request)
        case .getBucketLocation: try await getBucketLocation(request)
        case .listObjects: try await listObjects(request)
        case .listObjectsV2: try await listObjectsV2(request)
        case .listObjectVersions: try await listObjectVersions(request)
        case .listMultipartUploads: try await listMultipartUploads(request)
        case .deleteObjects: try await deleteObjects(request)
        case .getBucketVersioning: try await getBucketVersioning(request)
        case .putBucketVersioning: try await putBucketVersioning(request)
        case .getBucketEncryption: try await getBucketEncryption(request)
        case .putBucketEncryption: try await putBucketEncryption(request)
        case .deleteBucketEncryption: try await deleteBucketEncryption(request)
        case .getBucketPolicyStatus: try await getBucketPolicyStatus(request)
        case .getBucketDocument(let kind): try await getDocument(kind, request)
        case .putBucketDocument(let kind): try await putDocument(kind, request)
        case .deleteBucketDocument(let kind): try await deleteDocument(kind, request)
        case .getAcl: try await getAcl(request)
        case .putAcl: try await putAcl(request)
        default: try await performOnObject(operation, request)
        }
    }

    private func performOnObject(_ operation: S3Operation, _ request: S3Request) async throws -> ServiceResponse {
        switch operation {
        case .getObject: try await getObject(request)
        case .headObject: try await headObject(request)
        case .putObject: try await putObject(request)
        case .copyObject: try await copyObject(request)
        case .deleteObject: try await deleteObject(request)
        case .getObjectAttributes: try await getObjectAttributes(request)
        case .getObjectTagging: try await getObjectTagging(request)
        case .putObjectTagging: try await putObjectTagging(request)
        case .deleteObjectTagging: try await deleteObjectTagging(request)
        case .createMultipartUpload: try await createMultipartUpload(request)
        case .uploadPart: try await uploadPart(request)
        case .uploadPartCopy: try await uploadPartCopy(request)
        case .completeMultipartUpload: try await completeMultipartUpload(request)
        case .abortMultipartUpload: try await abortMultipartUpload(request)
        case .listParts: try await listParts(request)
        default: throw S3Error.notImplemented("The operation is not supported.")
        }
    }
}
