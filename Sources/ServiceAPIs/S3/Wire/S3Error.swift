import AWSProtocol
import ArtifactStore
import Catalog
import KeyHierarchy
import ObjectStorage

/// Refusals that the front itself makes, and the translation of those from below.
enum S3Error {
    static func malformedXML(_ root: String) -> AWSError {
        AWSError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema: expected "
                + "<\(root)>.")
    }

    static func invalidArgument(_ message: String, name: String = "", value: String = "") -> AWSError {
        AWSError(
            "InvalidArgument", message,
            fields: name.isEmpty ? [] : [("ArgumentName", name), ("ArgumentValue", value)])
    }

    static func invalidRequest(_ message: String) -> AWSError { AWSError("InvalidRequest", message) }

    /// A part of S3 that Coffer does not have, said in a sentence.
    static func notImplemented(_ sentence: String) -> AWSError { AWSError("NotImplemented", sentence) }

    static let accessDenied = AWSError("AccessDenied", "Access Denied")

    /// Any failure as the client sees it. `nil` for failures that are nobody's business but the log's.
    ///
    /// - Parameter method: of the request.
    static func translate(_ error: any Error, method: String = "") -> AWSError? {
        switch error {
        case let error as AWSError: return error
        case let error as ObjectStorageError: return translate(error, method)
        case let error as StoreError: return translate(error)
        case let error as CatalogError where error.code == .full: return .storageFull
        case let error as KeyError where error.code == .accessDenied:
            return AWSError("AccessDenied", error.message)
        case let error as KeyError:
            return AWSError("KMS.\(error.code.rawValue)", error.message, httpStatus: error.code == .sealed ? 503 : 400)
        default: return nil
        }
    }

    private static func translate(_ error: ObjectStorageError, _ method: String) -> AWSError {
        var fields = error.details.filter { $0.key != ObjectStorageError.deleteMarkerDetail }
            .sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        // The storage does not know how it was asked.
        if error.code == "MethodNotAllowed" { fields.append(("Method", method)) }
        if !error.resource.isEmpty, error.details.isEmpty {
            fields.append(("Resource", error.resource))
        }
        return AWSError(error.code, error.message, fields: fields)
    }

    private static func translate(_ error: StoreError) -> AWSError? {
        switch error.code {
        case .full: .storageFull
        case .keyUnavailable:
            AWSError("KMS.DisabledException", error.message, httpStatus: 400)
        case .leaseExpired:
            AWSError("RequestTimeout", "The upload took longer than the server keeps unfinished uploads.")
        case .readOnly: AWSError("ServiceUnavailable", "The server's storage cannot be written at present.")
        case .notFound:
            AWSError("NoSuchKey", "The artifact that this object presents has been deleted from the store.")
        default: nil
        }
    }
}
