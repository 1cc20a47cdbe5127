import AWSProtocol
import Foundation
import HTTPTypes
import KeyHierarchy
import Synchronization

/// `POST /-/v1/root/unseal`: opens a sealed root with a passphrase. The only request a sealed server acts on.
///
/// It cannot be signed: the secrets that verify signatures are sealed too. What protects it is the passphrase and the cost
/// of trying one; one attempt runs at a time, since each takes up to a gibibyte of memory.
final class UnsealRequest: Sendable {
    static let path = "/-/v1/root/unseal"

    private let keys: KeyHierarchy
    private let isBusy = Mutex(false)

    init(keys: KeyHierarchy) { self.keys = keys }

    private struct Body: Decodable { var passphrase: String }

    func respond(to request: ServiceRequest) async -> ServiceResponse {
        guard request.method == "POST" else {
            return .failure(AWSError("MethodNotAllowed", "Use POST.", httpStatus: 405), to: request, in: .json)
        }
        let isFirst = isBusy.withLock { busy in
            defer { busy = true }
            return !busy
        }
        guard isFirst else {
            return .failure(
                AWSError("ThrottlingException", "Another attempt is under way.", httpStatus: 429), to: request,
                in: .json)
        }
        defer { isBusy.withLock { $0 = false } }
        do {
            let bytes = try await request.body.collect(upTo: 65_536)
            let body = try JSONDecoder().decode(Body.self, from: Data(bytes))
            try await keys.unseal(passphrase: body.passphrase)
            return .text(status: 200, contentType: "application/json", "{\"status\":\"unsealed\"}\n")
        } catch RootError.wrongPassphrase {
            return .failure(
                AWSError("AccessDeniedException", "The passphrase opens no slot.", httpStatus: 403), to: request,
                in: .json)
        } catch is DecodingError {
            return .failure(
                AWSError("ValidationException", "The body is {\"passphrase\": \"…\"}."), to: request, in: .json)
        } catch {
            return .failure(
                AWSError("InternalFailure", "The root key could not be opened: \(error)", httpStatus: 500), to: request,
                in: .json)
        }
    }

    /// What every other request gets: an error that SDKs retry.
    static func refusal(_ request: ServiceRequest) -> ServiceResponse {
        let dialect = ServiceRouter.service(of: request).dialect
        let isJSON = dialect == .json || dialect == .restJSON
        return .failure(
            AWSError(
                isJSON ? "DependencyTimeoutException" : "ServiceUnavailable",
                "The instance is sealed; unseal its root key and try again.", httpStatus: 503),
            to: request, in: dialect)
    }
}
