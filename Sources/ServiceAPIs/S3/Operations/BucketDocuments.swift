import AWSProtocol
import Foundation
import HTTPTypes
import KeyHierarchy
import ObjectStorage

/// How each kind of bucket document behaves.
extension BucketDocument {
    /// The action that guards it.
    func action(get: Bool) -> String {
        let noun =
            switch self {
            case .accelerate: "AccelerateConfiguration"
            case .acl: "BucketAcl"
            case .cors: "BucketCORS"
            case .encryption: "EncryptionConfiguration"
            case .lifecycle: "LifecycleConfiguration"
            case .logging: "BucketLogging"
            case .notification: "BucketNotification"
            case .objectLock: "BucketObjectLockConfiguration"
            case .ownershipControls: "BucketOwnershipControls"
            case .policy: "BucketPolicy"
            case .publicAccessBlock: "BucketPublicAccessBlock"
            case .requestPayment: "BucketRequestPayment"
            case .tagging: "BucketTagging"
            case .website: "BucketWebsite"
            }
        return "s3:\(get ? "Get" : "Put")\(noun)"
    }

    /// The root element of the document; `nil` for the policy, which is JSON.
    var root: String? {
        switch self {
        case .accelerate: "AccelerateConfiguration"
        case .acl: "AccessControlPolicy"
        case .cors: "CORSConfiguration"
        case .encryption: "ServerSideEncryptionConfiguration"
        case .lifecycle: "LifecycleConfiguration"
        case .logging: "BucketLoggingStatus"
        case .notification: "NotificationConfiguration"
        case .objectLock: "ObjectLockConfiguration"
        case .ownershipControls: "OwnershipControls"
        case .policy: nil
        case .publicAccessBlock: "PublicAccessBlockConfiguration"
        case .requestPayment: "RequestPaymentConfiguration"
        case .tagging: "Tagging"
        case .website: "WebsiteConfiguration"
        }
    }

    /// What a bucket without the document answers: an error, or an empty document.
    func absence(_ bucket: String) -> Result<String, AWSError> {
        let error = { (code: String, message: String) in
            Result<String, AWSError>.failure(AWSError(code, message, fields: [("BucketName", bucket)]))
        }
        let empty = { (content: String) in
            let name = self.root ?? ""
            return Result<String, AWSError>.success(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<\(name) xmlns=\"\(S3Document.namespace)\">\(content)</\(name)>"
            )
        }
        return switch self {
        case .accelerate, .acl, .encryption, .logging, .notification: empty("")
        case .requestPayment: empty("<Payer>BucketOwner</Payer>")
        case .cors: error("NoSuchCORSConfiguration", "The CORS configuration does not exist")
        case .lifecycle: error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
        case .objectLock:
            error(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket")
        case .ownershipControls:
            error("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
        case .policy: error("NoSuchBucketPolicy", "The bucket policy does not exist")
        case .publicAccessBlock:
            error(
                "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
        case .tagging: error("NoSuchTagSet", "The TagSet does not exist")
        case .website:
            error(
                "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
        }
    }

    /// Throws when a document asks for something that Coffer would not do: to keep it would be a promise.
    func refuseUnsupported(_ document: XMLElement) throws(AWSError) {
        switch self {
        case .notification where !document.children.isEmpty:
            throw S3Error.notImplemented(
                "Event notifications are not sent; pipelines notice new objects by themselves.")
        case .logging where document.child("LoggingEnabled") != nil:
            throw S3Error.notImplemented("Server access logs are not written to buckets.")
        case .website: throw S3Error.notImplemented("Buckets are not served as web sites.")
        case .objectLock:
            throw S3Error.notImplemented(
                "Object Lock is not supported; pin the artifact's version in the store instead.")
        case .accelerate where document.value("Status") == "Enabled":
            throw S3Error.notImplemented("There is no transfer acceleration: there is one endpoint.")
        case .requestPayment where document.value("Payer") != "BucketOwner":
            throw S3Error.notImplemented("Requests are free; the payer is always BucketOwner.")
        case .lifecycle: try validateLifecycle(document)
        case .cors: try validateCORS(document)
        case .ownershipControls:
            guard document.children("Rule").count == 1,
                Self.ownerships.contains(document.child("Rule")?.value("ObjectOwnership") ?? "")
            else {
                throw S3Error.malformedXML("ObjectOwnership")
            }
        default: break
        }
    }

    private static let ownerships: Set<String> = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]

    /// The document that a new bucket gets whose creator chose who owns its objects.
    static func ownershipControls(_ ownership: String) throws(AWSError) -> [UInt8] {
        guard ownerships.contains(ownership) else {
            throw S3Error.invalidArgument(
                "Invalid x-amz-object-ownership header: \(ownership)", name: "x-amz-object-ownership", value: ownership)
        }
        var xml = XMLWriter()
        xml.element("OwnershipControls", namespace: S3Document.namespace) { xml in
            xml.element("Rule") { $0.element("ObjectOwnership", ownership) }
        }
        return Array(xml.document.utf8)
    }

    private func validateCORS(_ document: XMLElement) throws(AWSError) {
        let rules = document.children("CORSRule")
        guard (1...100).contains(rules.count) else { throw S3Error.malformedXML("CORSRule") }
        for rule in rules {
            let methods = rule.children("AllowedMethod").map(\.text)
            guard !methods.isEmpty, !rule.children("AllowedOrigin").isEmpty else {
                throw S3Error.malformedXML("AllowedMethod")
            }
            if let unknown = methods.first(where: { !["GET", "PUT", "HEAD", "POST", "DELETE"].contains($0) }) {
                throw S3Error.invalidRequest(
                    "Found unsupported HTTP method in CORS config. Unsupported method is \(unknown)")
            }
        }
    }

    private func validateLifecycle(_ document: XMLElement) throws(AWSError) {
        let rules = document.children("Rule")
        guard (1...1000).contains(rules.count) else { throw S3Error.malformedXML("Rule") }
        let identifiers = rules.compactMap { $0.value("ID") }
        guard Set(identifiers).count == identifiers.count else {
            throw S3Error.invalidArgument("Rule ID must be unique. Found same ID for more than one rule")
        }
        for rule in rules {
            guard ["Enabled", "Disabled"].contains(rule.value("Status") ?? "") else {
                throw S3Error.malformedXML("Status")
            }
            guard rule.child("Filter") != nil || rule.child("Prefix") != nil else {
                throw S3Error.malformedXML("Filter")
            }
            _ = try LifecycleDocument.rule(rule)
        }
    }
}

/// Documents that a bucket keeps as they were put.
extension S3Front {
    private static let policyBytesMax = 20 << 10

    func getDocument(_ kind: BucketDocument, _ request: S3Request) async throws -> ServiceResponse {
        let type = kind == .policy ? "application/json" : "application/xml"
        if let body = try await objects.document(kind, of: request.bucketName) {
            return ServiceResponse(status: 200, headers: [.contentType: type], body: .bytes(body))
        }
        return .text(status: 200, contentType: type, try kind.absence(request.bucketName).get())
    }

    func putDocument(_ kind: BucketDocument, _ request: S3Request) async throws -> ServiceResponse {
        var body = try await document(request)
        if let root = kind.root {
            try kind.refuseUnsupported(try XMLParser.parse(body, root: root))
            if kind == .tagging, try Tags.document(body, ofBucket: true).isEmpty {
                return try await deleteDocument(kind, request)
            }
            if kind == .publicAccessBlock { body = try Self.completed(publicAccessBlock: body) }
        } else {
            try validatePolicy(body)
        }
        try await objects.putDocument(kind, body, of: request.bucketName)
        return ServiceResponse(status: kind == .policy || kind == .tagging ? 204 : 200)
    }

    /// A configuration with the settings that it leaves out, which count as false.
    private static func completed(publicAccessBlock body: [UInt8]) throws(AWSError) -> [UInt8] {
        let document = try XMLParser.parse(body, root: "PublicAccessBlockConfiguration")
        return publicAccessBlock { document.value($0)?.lowercased() == "true" }
    }

    /// A configuration with all four settings. New buckets have all of them on.
    static func publicAccessBlock(_ isOn: (String) -> Bool) -> [UInt8] {
        var xml = XMLWriter()
        xml.element("PublicAccessBlockConfiguration", namespace: S3Document.namespace) { xml in
            for name in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
                xml.element(name, isOn(name) ? "true" : "false")
            }
        }
        return Array(xml.document.utf8)
    }

    func deleteDocument(_ kind: BucketDocument, _ request: S3Request) async throws -> ServiceResponse {
        switch kind {
        case .accelerate, .acl, .encryption, .logging, .notification, .objectLock, .requestPayment:
            throw AWSError("MethodNotAllowed", "The specified method is not allowed against this resource.")
        case .cors, .lifecycle, .ownershipControls, .policy, .publicAccessBlock, .tagging, .website:
            try await objects.deleteDocument(kind, of: request.bucketName)
            return ServiceResponse(status: 204)
        }
    }

    private func validatePolicy(_ body: [UInt8]) throws(AWSError) {
        guard body.count <= Self.policyBytesMax else {
            throw AWSError("PolicyTooLarge", "A bucket policy has at most \(Self.policyBytesMax) bytes.")
        }
        // What does not parse is refused below, whatever the reason.
        let parsed = try? JSONSerialization.jsonObject(with: Data(body))
        guard let policy = parsed as? [String: Any] else {
            throw AWSError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
        }
        guard policy["Statement"] != nil else {
            throw AWSError("MalformedPolicy", "Missing required field Statement")
        }
    }

    /// No bucket is public: only its owner's account is let in.
    func getBucketPolicyStatus(_ request: S3Request) async throws -> ServiceResponse {
        guard try await objects.document(.policy, of: request.bucketName) != nil else {
            return .text(
                status: 200, contentType: "application/xml",
                try BucketDocument.policy.absence(request.bucketName).get())
        }
        return S3Document.response("PolicyStatus") { $0.element("IsPublic", "FALSE") }
    }

    // MARK: Access control lists

    /// The one list there is: the owner may do everything.
    func getAcl(_ request: S3Request) async throws -> ServiceResponse {
        let bucket = try await objects.headBucket(request.bucketName)
        if let key = request.key {
            _ = try await objects.head(bucket: bucket.name, key: key, versionID: request.versionID)
        }
        let account = bucket.scope.account
        let identity =
            "<ID>\(S3Document.canonicalID(account))</ID><DisplayName>\(XMLWriter.escape(account))</DisplayName>"
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <AccessControlPolicy xmlns="\(S3Document.namespace)"><Owner>\(identity)</Owner><AccessControlList><Grant>\
            <Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">\(identity)\
            </Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>
            """
        return .text(status: 200, contentType: "application/xml", text)
    }

    /// Accepts what says no more than that list; anything else is refused as in buckets without ACLs.
    func putAcl(_ request: S3Request) async throws -> ServiceResponse {
        let body = try await document(request)
        try ObjectHeaders.requirePrivate(request)
        let bucket = try await objects.headBucket(request.bucketName)
        if !body.isEmpty {
            let list = try XMLParser.parse(body, root: "AccessControlPolicy").child("AccessControlList")
            let owner = S3Document.canonicalID(bucket.scope.account)
            let grants = list?.children("Grant") ?? []
            guard grants.allSatisfy({ $0.child("Grantee")?.value("ID") == owner }) else {
                throw AWSError("AccessControlListNotSupported", "The bucket does not allow ACLs")
            }
        }
        if let key = request.key {
            _ = try await objects.head(bucket: bucket.name, key: key, versionID: request.versionID)
        }
        return ServiceResponse(status: 200)
    }
}
