import AWSProtocol
import HTTPTypes
import KeyHierarchy
import ObjectStorage

/// Buckets themselves.
extension S3Front {
    /// The most bytes of a configuration document.
    static let documentBytesMax = 1 << 20

    /// Reads a document's bytes and checks them against the headers.
    func document(_ request: S3Request, upTo limit: Int = documentBytesMax, requiringChecksum: Bool = false)
        async throws -> [UInt8]
    {
        let body = try await request.http.body.collect(upTo: limit)
        try ChecksumHeaders(request).check(body, request, isRequired: requiringChecksum)
        return body
    }

    func listBuckets(_ request: S3Request) async throws -> ServiceResponse {
        let limit = try request.integer("max-buckets", in: 1...10_000) ?? 10_000
        let prefix = request["prefix"] ?? ""
        let after = try request["continuation-token"].map(ContinuationToken.decode) ?? ""
        var buckets = try await objects.listBuckets(
            account: request.account, prefix: prefix, region: request["bucket-region"], after: after, limit: limit + 1)
        let isTruncated = buckets.count > limit
        if isTruncated { buckets.removeLast() }
        return S3Document.response("ListAllMyBucketsResult") { xml in
            xml.owner(request.account)
            xml.element("Buckets") { xml in
                for bucket in buckets {
                    xml.element("Bucket") { xml in
                        xml.element("Name", bucket.name)
                        xml.element("CreationDate", S3Date.iso(bucket.createdAt))
                        xml.element("BucketRegion", bucket.scope.region)
                    }
                }
            }
            if isTruncated, let last = buckets.last {
                xml.element("ContinuationToken", ContinuationToken.encode(last.name))
            }
            if !prefix.isEmpty { xml.element("Prefix", prefix) }
        }
    }

    /// Where a bucket goes. Without a constraint it stays in the Region the request was signed for, which Amazon's endpoints
    /// outside us-east-1 refuse and most other servers and their clients take for granted.
    private static func region(_ constraint: String, sentTo endpoint: String) throws(AWSError) -> String {
        if constraint.isEmpty { return endpoint }
        let region = constraint == "EU" ? "eu-west-1" : constraint
        if endpoint == "us-east-1" {
            guard region != endpoint else {
                throw AWSError(
                    "InvalidLocationConstraint", "The specified location-constraint is not valid",
                    fields: [("LocationConstraint", constraint)])
            }
        } else if region != endpoint {
            throw AWSError(
                "IllegalLocationConstraintException",
                "The \(constraint) location constraint is incompatible for the region specific endpoint this request was "
                    + "sent to.")
        }
        return region
    }

    func createBucket(_ request: S3Request) async throws -> ServiceResponse {
        try ObjectHeaders.requirePrivate(request)
        guard request.header("x-amz-bucket-object-lock-enabled")?.lowercased() != "true" else {
            throw S3Error.notImplemented("Object Lock is not supported; create the bucket without it.")
        }
        let ownership = try BucketDocument.ownershipControls(
            request.header("x-amz-object-ownership") ?? "BucketOwnerEnforced")
        let body = try await document(request)
        var region = request.http.region
        if !body.isEmpty {
            let configuration = try XMLParser.parse(body, root: "CreateBucketConfiguration")
            region = try Self.region(configuration.value("LocationConstraint") ?? "", sentTo: region)
        }
        let name = request.bucketName
        let creation = try await objects.createBucket(
            name, in: AccountRegion(account: request.account, region: region))
        if creation == .alreadyOwned {
            let bucket = try await objects.headBucket(name)
            guard bucket.scope.region == "us-east-1", request.http.region == "us-east-1" else {
                throw AWSError(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                    fields: [("BucketName", name)])
            }
        }
        if creation == .created {
            try await objects.putDocument(.ownershipControls, ownership, of: name)
            try await objects.putDocument(
                .publicAccessBlock, Self.publicAccessBlock { _ in true }, of: name)
        }
        var response = ServiceResponse(status: 200)
        response.setHeader("Location", "/\(name)")
        response.setHeader("x-amz-bucket-arn", "arn:aws:s3:::\(name)")
        return response
    }

    func deleteBucket(_ request: S3Request) async throws -> ServiceResponse {
        try await objects.deleteBucket(request.bucketName)
        return ServiceResponse(status: 204)
    }

    func headBucket(_ request: S3Request) async throws -> ServiceResponse {
        let bucket = try await objects.headBucket(request.bucketName)
        var response = ServiceResponse(status: 200)
        response.setHeader("x-amz-bucket-region", bucket.scope.region)
        response.setHeader("x-amz-access-point-alias", "false")
        response.setHeader("Content-Type", "application/xml")
        return response
    }

    func getBucketLocation(_ request: S3Request) async throws -> ServiceResponse {
        let region = try await objects.headBucket(request.bucketName).scope.region
        var xml = XMLWriter()
        xml.element("LocationConstraint", namespace: S3Document.namespace) { _ in }
        // The element is the document: us-east-1 is written as nothing.
        let text = xml.document.replacing(
            "></LocationConstraint>",
            with: ">\(region == "us-east-1" ? "" : XMLWriter.escape(region))</LocationConstraint>")
        return .text(status: 200, contentType: "application/xml", text)
    }

    func getBucketVersioning(_ request: S3Request) async throws -> ServiceResponse {
        let state = try await objects.headBucket(request.bucketName).versioning
        return S3Document.response("VersioningConfiguration") { xml in
            if state != .off { xml.element("Status", state.rawValue) }
        }
    }

    func putBucketVersioning(_ request: S3Request) async throws -> ServiceResponse {
        let root = try XMLParser.parse(try await document(request), root: "VersioningConfiguration")
        guard root.value("MfaDelete").map({ $0 == "Disabled" }) ?? true else {
            throw S3Error.notImplemented("Deletion guarded by a second factor is not supported.")
        }
        guard let status = root.value("Status") else {
            throw AWSError(
                "IllegalVersioningConfigurationException", "The Versioning element must be specified")
        }
        guard let state = VersioningState(rawValue: status), state != .off else { throw S3Error.malformedXML("Status") }
        try await objects.setVersioning(state, of: request.bucketName)
        return ServiceResponse(status: 200)
    }

    func getBucketEncryption(_ request: S3Request) async throws -> ServiceResponse {
        let bucket = try await objects.headBucket(request.bucketName)
        return S3Document.response("ServerSideEncryptionConfiguration") { xml in
            xml.element("Rule") { xml in
                xml.element("ApplyServerSideEncryptionByDefault") { xml in
                    switch bucket.encryption {
                    case .managed: xml.element("SSEAlgorithm", "AES256")
                    case .kms(let kms):
                        xml.element("SSEAlgorithm", kms.isDoubleLayer ? "aws:kms:dsse" : "aws:kms")
                        xml.element("KMSMasterKeyID", kms.keyARN)
                    }
                }
                xml.element("BucketKeyEnabled", bucket.usesBucketKey ? "true" : "false")
            }
        }
    }

    func putBucketEncryption(_ request: S3Request) async throws -> ServiceResponse {
        let root = try XMLParser.parse(try await document(request), root: "ServerSideEncryptionConfiguration")
        guard let rule = root.child("Rule"), root.children("Rule").count == 1 else {
            throw S3Error.malformedXML("Rule")
        }
        let keyID = rule.child("ApplyServerSideEncryptionByDefault")?.value("KMSMasterKeyID")
        let wanted: EncryptionRequest
        switch rule.child("ApplyServerSideEncryptionByDefault")?.value("SSEAlgorithm") ?? "AES256" {
        case "AES256":
            guard keyID == nil else {
                throw AWSError(
                    "InvalidArgument",
                    "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
                    fields: [("ArgumentName", "ApplyServerSideEncryptionByDefault")])
            }
            wanted = .managed
        case "aws:kms": wanted = .kms(keyID: keyID)
        case "aws:kms:dsse": wanted = .kms(KMSRequest(keyID: keyID, isDoubleLayer: true))
        default: throw S3Error.malformedXML("SSEAlgorithm")
        }
        try await objects.setDefaultEncryption(
            wanted, usesBucketKey: rule.value("BucketKeyEnabled") == "true", of: request.bucketName)
        return ServiceResponse(status: 200)
    }

    func deleteBucketEncryption(_ request: S3Request) async throws -> ServiceResponse {
        try await objects.setDefaultEncryption(.managed, of: request.bucketName)
        return ServiceResponse(status: 204)
    }
}
