import AWSProtocol
import ObjectStorage

/// What a request asks for, by method, level and the sub-resource its query names.
enum S3Operation: Equatable {
    case listBuckets
    case createBucket, deleteBucket, headBucket, getBucketLocation
    case listObjects, listObjectsV2, listObjectVersions, listMultipartUploads
    case deleteObjects
    case getBucketVersioning, putBucketVersioning
    case getBucketEncryption, putBucketEncryption, deleteBucketEncryption
    case getBucketPolicyStatus
    case getBucketDocument(BucketDocument), putBucketDocument(BucketDocument), deleteBucketDocument(BucketDocument)
    case getAcl, putAcl
    case getObject, headObject, putObject, copyObject, deleteObject, getObjectAttributes
    case getObjectTagging, putObjectTagging, deleteObjectTagging
    case createMultipartUpload, uploadPart, uploadPartCopy, completeMultipartUpload, abortMultipartUpload, listParts

    /// The action that policies and grants name (Service Authorization Reference, "Actions defined by Amazon S3").
    func action(_ request: S3Request) -> String {
        let isVersion = request.versionID != nil
        switch self {
        case .listBuckets: return "s3:ListAllMyBuckets"
        case .createBucket: return "s3:CreateBucket"
        case .deleteBucket: return "s3:DeleteBucket"
        case .headBucket, .listObjects, .listObjectsV2: return "s3:ListBucket"
        case .getBucketLocation: return "s3:GetBucketLocation"
        case .listObjectVersions: return "s3:ListBucketVersions"
        case .listMultipartUploads: return "s3:ListBucketMultipartUploads"
        case .listParts: return "s3:ListMultipartUploadParts"
        case .abortMultipartUpload: return "s3:AbortMultipartUpload"
        case .deleteObjects: return "s3:DeleteObject"
        case .deleteObject: return isVersion ? "s3:DeleteObjectVersion" : "s3:DeleteObject"
        case .getBucketVersioning: return "s3:GetBucketVersioning"
        case .putBucketVersioning: return "s3:PutBucketVersioning"
        case .getBucketEncryption: return "s3:GetEncryptionConfiguration"
        case .putBucketEncryption, .deleteBucketEncryption: return "s3:PutEncryptionConfiguration"
        case .getBucketPolicyStatus: return "s3:GetBucketPolicyStatus"
        case .getBucketDocument(let kind): return kind.action(get: true)
        case .putBucketDocument(let kind), .deleteBucketDocument(let kind): return kind.action(get: false)
        case .getAcl: return request.key == nil ? "s3:GetBucketAcl" : "s3:GetObjectAcl"
        case .putAcl: return request.key == nil ? "s3:PutBucketAcl" : "s3:PutObjectAcl"
        case .getObject, .headObject, .getObjectAttributes:
            return isVersion ? "s3:GetObjectVersion" : "s3:GetObject"
        case .putObject, .copyObject, .createMultipartUpload, .uploadPart, .uploadPartCopy, .completeMultipartUpload:
            return "s3:PutObject"
        case .getObjectTagging: return isVersion ? "s3:GetObjectVersionTagging" : "s3:GetObjectTagging"
        case .putObjectTagging: return isVersion ? "s3:PutObjectVersionTagging" : "s3:PutObjectTagging"
        case .deleteObjectTagging: return isVersion ? "s3:DeleteObjectVersionTagging" : "s3:DeleteObjectTagging"
        }
    }

    /// Chooses the operation. Throws `NotImplemented` or `MethodNotAllowed`.
    static func choose(_ request: S3Request) throws(AWSError) -> S3Operation {
        if request.bucket == nil { return try account(request) }
        if request.key == nil { return try bucket(request) }
        return try object(request)
    }

    private static func account(_ request: S3Request) throws(AWSError) -> S3Operation {
        guard request.method == "GET" || request.method == "HEAD" else { throw notAllowed(request) }
        return .listBuckets
    }

    private static func bucket(_ request: S3Request) throws(AWSError) -> S3Operation {
        if let name = absent.keys.first(where: { request.has($0) }), let sentence = absent[name] {
            throw S3Error.notImplemented(sentence)
        }
        for kind in BucketDocument.allCases where kind != .acl && kind != .encryption && request.has(kind.rawValue) {
            switch request.method {
            case "GET": return .getBucketDocument(kind)
            case "PUT": return .putBucketDocument(kind)
            case "DELETE": return .deleteBucketDocument(kind)
            default: throw notAllowed(request)
            }
        }
        switch request.method {
        case "HEAD": return .headBucket
        case "GET": return try readBucket(request)
        case "PUT":
            if request.has("versioning") { return .putBucketVersioning }
            if request.has("encryption") { return .putBucketEncryption }
            return request.has("acl") ? .putAcl : .createBucket
        case "DELETE": return request.has("encryption") ? .deleteBucketEncryption : .deleteBucket
        case "POST":
            guard request.has("delete") else {
                throw S3Error.notImplemented(
                    "Uploads by HTML form (POST Object) are not supported; use PUT, or a presigned PUT.")
            }
            return .deleteObjects
        default: throw notAllowed(request)
        }
    }

    private static func readBucket(_ request: S3Request) throws(AWSError) -> S3Operation {
        if request.has("location") { return .getBucketLocation }
        if request.has("versioning") { return .getBucketVersioning }
        if request.has("versions") { return .listObjectVersions }
        if request.has("uploads") { return .listMultipartUploads }
        if request.has("encryption") { return .getBucketEncryption }
        if request.has("policyStatus") { return .getBucketPolicyStatus }
        if request.has("acl") { return .getAcl }
        if request.has("replication") {
            throw AWSError(
                "ReplicationConfigurationNotFoundError", "The replication configuration was not found")
        }
        guard let type = request["list-type"] else { return .listObjects }
        guard type == "2" else {
            throw S3Error.invalidArgument("Invalid List Type specified in Query", name: "list-type", value: type)
        }
        return .listObjectsV2
    }

    private static func object(_ request: S3Request) throws(AWSError) -> S3Operation {
        if let name = absentOfObjects.keys.first(where: { request.has($0) }), let sentence = absentOfObjects[name] {
            throw S3Error.notImplemented(sentence)
        }
        switch request.method {
        case "HEAD": return .headObject
        case "GET":
            if request.has("uploadId") { return .listParts }
            if request.has("tagging") { return .getObjectTagging }
            if request.has("attributes") { return .getObjectAttributes }
            return request.has("acl") ? .getAcl : .getObject
        case "PUT":
            if request.has("tagging") { return .putObjectTagging }
            if request.has("acl") { return .putAcl }
            let copies = request.header("x-amz-copy-source") != nil
            if request.has("uploadId") || request.has("partNumber") { return copies ? .uploadPartCopy : .uploadPart }
            return copies ? .copyObject : .putObject
        case "POST":
            if request.has("uploads") { return .createMultipartUpload }
            if request.has("uploadId") { return .completeMultipartUpload }
            throw notAllowed(request)
        case "DELETE":
            if request.has("uploadId") { return .abortMultipartUpload }
            return request.has("tagging") ? .deleteObjectTagging : .deleteObject
        default: throw notAllowed(request)
        }
    }

    private static func notAllowed(_ request: S3Request) -> AWSError {
        AWSError(
            "MethodNotAllowed", "The specified method is not allowed against this resource.",
            fields: [("Method", request.method), ("ResourceType", request.key == nil ? "SERVICE" : "OBJECT")])
    }

    /// Sub-resources of buckets that Coffer does not have.
    private static let absent = [
        "analytics": "Storage class analysis is not supported.",
        "inventory": "Inventory is not supported; list the bucket, or its versions.",
        "metrics": "Request metrics by filter are not supported; see /-/metrics.",
        "intelligent-tiering": "Intelligent-Tiering is not supported: all objects are in one tier.",
        "session": "Directory buckets are not supported; use general purpose buckets.",
        "metadataTable": "Metadata tables are not supported.",
        "metadataConfiguration": "Metadata tables are not supported.",
        "abac": "Attribute-based access control of buckets is not supported.",
    ]

    /// Sub-resources of objects that Coffer does not have.
    private static let absentOfObjects = [
        "retention": "Object Lock is not supported; pin the artifact's version in the store instead.",
        "legal-hold": "Object Lock is not supported; pin the artifact's version in the store instead.",
        "restore": "Objects need no restoring: none is ever archived.",
        "select": "S3 Select is not supported; read the object, or a range of it.",
        "torrent": "BitTorrent is not supported.",
        "renameObject": "Renaming is for directory buckets; copy and delete instead.",
    ]
}
