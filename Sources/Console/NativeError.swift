package import AWSProtocol
import AccessControl
import ActionProviders
import ArtifactStore
import Catalog
import HTTPTypes
import KeyHierarchy
import ObjectStorage
import PipelineModel

/// A refusal as the native interface words it: HTTP status, code and message.
package struct NativeError: Error, Sendable {
    package let status: Int
    package let code: String
    package let message: String

    package init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// A domain's error in these terms; errors that nobody knows say nothing about their cause.
    package init(_ error: any Error) {
        switch error {
        case let error as NativeError: self = error
        case let error as AWSError: self.init(error.status(in: .restJSON), error.code, error.message)
        case let error as StoreError:
            self.init(NativeError.status(of: error.code), "Store\(error.code.rawValue)", error.message)
        case let error as CatalogError where error.code == .full: self.init(507, "StoreFull", error.message)
        case let error as PipelineError:
            self.init(NativeError.status(of: error.code), error.code.rawValue, error.message)
        case let error as ProviderError:
            self.init(error.code.hasSuffix("DoesNotExistException") ? 404 : 400, error.code, error.message)
        case let error as ObjectStorageError: self.init(400, error.code, error.message)
        case let error as KeyError where error.code == .accessDenied: self.init(403, "AccessDenied", error.message)
        case let error as AccountExists: self.init(409, "AccountExists", error.description)
        case let error as BootstrapError: self.init(400, "InvalidAccount", error.description)
        case let error as KeyError where error.code == .sealed: self.init(503, "Sealed", error.message)
        case let error as KeyError where error.code == .conflict: self.init(409, "Conflict", error.message)
        case let error as KeyError where error.code == .notFound: self.init(404, "NotFound", error.message)
        case let error as KeyError where error.code == .tampered: self.init(500, "KeyIntegrity", error.message)
        case let error as KeyError: self.init(403, "KeyUnavailable", error.message)
        case let error as ReferenceError: self.init(400, "InvalidReference", error.description)
        case let error as AccessDenied: self.init(403, "AccessDenied", error.description)
        default: self.init(500, "InternalFailure", "the server failed; its log says more")
        }
    }

    /// The refusal as a response.
    package var response: ServiceResponse {
        // A struct of two strings always encodes; were it not to, an empty body still carries the status.
        let body = (try? JSON.compact(ErrorAnswer(code: code, message: message))) ?? []
        return ServiceResponse(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .bytes(body + [10]))
    }

    private static func status(of code: StoreError.Code) -> Int {
        switch code {
        case .notFound: 404
        case .conflict, .leaseExpired, .retained: 409
        case .keyUnavailable: 403
        case .full: 507
        case .integrity, .input, .readOnly: 500
        default: 400
        }
    }

    private static func status(of code: PipelineError.Code) -> Int {
        let code = code.rawValue
        if code.contains("NotFound") { return 404 }
        let conflicts = [
            "PipelineNameInUse", "NotStoppable", "Outdated", "DuplicatedStop", "NotRetryable", "NotLatest", "Conflict",
            "ConcurrentModification", "InvalidApprovalToken", "ApprovalAlreadyCompleted", "LimitExceeded",
        ]
        return conflicts.contains { code.contains($0) } ? 409 : 400
    }
}
