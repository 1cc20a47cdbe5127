import AWSProtocol
import Foundation
import ObjectStorage

/// Conditions on reading an object (RFC 9110 §13.2.2), with S3's header names for the object itself or a copy's source.
struct ReadConditions {
    private let ifMatch: String?
    private let ifNoneMatch: String?
    private let ifModifiedSince: String?
    private let ifUnmodifiedSince: String?

    /// The conditions of a GET or HEAD.
    init(_ request: S3Request) { self.init(request, prefix: "") }

    /// The conditions on the source of a copy.
    static func copySource(_ request: S3Request) -> ReadConditions {
        ReadConditions(request, prefix: "x-amz-copy-source-")
    }

    private init(_ request: S3Request, prefix: String) {
        ifMatch = request.header(prefix + "if-match")
        ifNoneMatch = request.header(prefix + "if-none-match")
        ifModifiedSince = request.header(prefix + "if-modified-since")
        ifUnmodifiedSince = request.header(prefix + "if-unmodified-since")
    }

    /// What the conditions make of a request.
    enum Verdict: Equatable {
        case proceed
        case notModified
        case failed(String)
    }

    /// Judges the conditions against an object.
    func judge(_ object: StoredObject) -> Verdict {
        // Header dates have whole seconds: compare what the client can have seen.
        let modified = object.lastModified.timeIntervalSince1970.rounded(.down)
        if let ifMatch {
            if !EntityTag.list(ifMatch, contains: object.etag) { return .failed("If-Match") }
        } else if let date = ifUnmodifiedSince.flatMap(S3Date.parseHTTP), modified > date.timeIntervalSince1970 {
            return .failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if EntityTag.list(ifNoneMatch, contains: object.etag) { return .notModified }
        } else if let date = ifModifiedSince.flatMap(S3Date.parseHTTP), date <= Date(),
            modified <= date.timeIntervalSince1970
        {
            // A time that has not come counts as none.
            return .notModified
        }
        return .proceed
    }

    /// Throws `PreconditionFailed` unless a copy may use `object` as its source.
    func requireForCopy(_ object: StoredObject) throws(AWSError) {
        switch judge(object) {
        case .proceed: return
        case .notModified:
            throw Self.failed("x-amz-copy-source-\(ifNoneMatch == nil ? "If-Modified-Since" : "If-None-Match")")
        case .failed(let condition): throw Self.failed("x-amz-copy-source-\(condition)")
        }
    }

    static func failed(_ condition: String) -> AWSError {
        AWSError(
            "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
            fields: [("Condition", condition)])
    }
}

extension S3Request {
    /// The conditions on a write.
    func writeConditions() throws(AWSError) -> WriteConditions {
        let conditions = WriteConditions(ifMatch: header("if-match"), ifNoneMatch: header("if-none-match"))
        if conditions.ifMatch != nil, conditions.ifNoneMatch != nil {
            throw Self.unsupported(
                "If-Match,If-None-Match", "Multiple conditional request headers present in the request")
        }
        if let tag = conditions.ifNoneMatch, tag != "*" {
            throw Self.unsupported(
                "If-None-Match", "We don't accept the provided value of If-None-Match header for this API")
        }
        if conditions.ifMatch == "*" {
            throw Self.unsupported("If-Match", "We don't accept the provided value of If-Match header for this API")
        }
        return conditions
    }

    private static func unsupported(_ header: String, _ why: String) -> AWSError {
        AWSError(
            "NotImplemented", "A header you provided implies functionality that is not implemented",
            fields: [("Header", header), ("additionalMessage", why)])
    }
}
