public import AccessControl
import Catalog

/// The wire formats in which AWS services speak.
public enum Dialect: Sendable, Hashable {
    /// JSON 1.1 (and 1.0): `POST /` with `X-Amz-Target`.
    case json
    /// JSON over paths.
    case restJSON
    /// Form in, XML out.
    case query
    /// S3.
    case restXML
}

/// A refusal as a client sees it: AWS's code, and words that say what was wrong and what would be right.
public struct AWSError: Error, Sendable, CustomStringConvertible {
    /// The code by which clients know the error, such as `PipelineNotFoundException`.
    public var code: String
    /// What was wrong. Safe to show: no key material, no paths of ours.
    public var message: String
    /// The HTTP status, when it is not the one that the dialect's table gives the code.
    public var httpStatus: Int?
    /// Further members of the error document, in order, such as S3's `BucketName`.
    public var fields: [(name: String, value: String)]

    /// Makes an error; its status comes from ``HTTPStatusTable`` unless given.
    public init(
        _ code: String, _ message: String, httpStatus: Int? = nil, fields: [(name: String, value: String)] = []
    ) {
        self.code = code
        self.message = message
        self.httpStatus = httpStatus
        self.fields = fields
    }

    /// Code and message.
    public var description: String { "\(code): \(message)" }

    /// The HTTP status with which a dialect sends this error.
    public func status(in dialect: Dialect) -> Int {
        httpStatus ?? HTTPStatusTable.status(of: code, in: dialect)
    }

    /// A fault of ours. The text says nothing about its cause, which belongs in the log under the request's id.
    public static func internalFailure(in dialect: Dialect) -> AWSError {
        AWSError(
            dialect == .restXML ? "InternalError" : "InternalFailure",
            "We encountered an internal error. Please try again.", httpStatus: 500)
    }

    /// A refusal by access control, in a dialect's words.
    public init(_ denied: AccessDenied, in dialect: Dialect) {
        switch dialect {
        case .json, .restJSON: self.init("AccessDeniedException", denied.description)
        case .query, .restXML: self.init("AccessDenied", denied.description)
        }
    }

    /// No room on the server's disk: AWS's common error for a condition that passes, so that clients try again.
    public static let storageFull = AWSError(
        "ServiceUnavailable", "The server's storage is full; nothing was changed. Free space and try again.")

    /// What every service says of a failure of the database; `nil` where that is a fault of ours.
    static func common(_ error: any Error) -> AWSError? {
        (error as? CatalogError)?.code == .full ? .storageFull : nil
    }

    static func tooLarge(limit: Int) -> AWSError {
        AWSError("RequestEntityTooLarge", "The request's body is larger than the limit of \(limit) bytes.")
    }
}
