import AWSProtocol
import HTTPTypes
import Synchronization

/// Answers `/-/health` and `/-/metrics` from the moment the port is open, and everything else once the house behind it
/// stands. Until then, and while the root is sealed, requests get 503 and a reason.
final class FrontDoor: Sendable {
    /// What stands behind the door. Starting → sealed | ready; sealed → starting; ready → stopping.
    enum State: Sendable {
        case starting
        /// The root key waits for a passphrase; the closure answers the request that brings it.
        case sealed(@Sendable (ServiceRequest) async -> ServiceResponse)
        case ready(@Sendable (ServiceRequest) async -> ServiceResponse)
        case stopping
    }
    private let state = Mutex(State.starting)
    private let metrics: ServerMetrics

    init(metrics: ServerMetrics) { self.metrics = metrics }

    /// Moves on; what is stopping does not start again.
    func become(_ next: State) {
        state.withLock { state in
            if case .stopping = state { return }
            state = next
        }
    }

    /// True once the server has been told to stop, so that answers without an end come to one.
    var isStopping: Bool {
        state.withLock { state in
            if case .stopping = state { return true }
            return false
        }
    }

    func respond(to request: ServiceRequest) async -> ServiceResponse {
        let state = state.withLock { $0 }
        switch request.path {
        case "/-/health": return health(state, request)
        case "/-/metrics": return metricsText(state, request)
        default: break
        }
        switch state {
        case .ready(let answer): return await answer(request)
        // A request that arrives while the server stops came over a connection that is being closed after it: it is
        // refused in a way that every SDK retries.
        case .starting: return refusal(of: request, "The server is starting; try again.", state)
        case .stopping: return refusal(of: request, "The server is stopping; try again.", state)
        case .sealed(let unseal):
            return request.path == UnsealRequest.path ? await unseal(request) : UnsealRequest.refusal(request)
        }
    }

    private func health(_ state: State, _ request: ServiceRequest) -> ServiceResponse {
        guard request.method == "GET" || request.method == "HEAD" else { return notAllowed() }
        guard case .ready = state else { return unavailable(state) }
        return text(200, "{\"status\":\"ready\"}\n", type: "application/json")
    }

    private func metricsText(_ state: State, _ request: ServiceRequest) -> ServiceResponse {
        guard request.method == "GET" || request.method == "HEAD" else { return notAllowed() }
        var isReady = false
        if case .ready = state { isReady = true }
        return text(200, metrics.text(isReady: isReady), type: "text/plain; version=0.0.4; charset=utf-8")
    }

    /// In the words of the service that is asked: a client that cannot read an answer does not try again.
    private func refusal(of request: ServiceRequest, _ message: String, _ state: State) -> ServiceResponse {
        let service = ServiceRouter.service(of: request)
        guard service != .coffer else { return unavailable(state) }
        var response = ServiceResponse.failure(
            AWSError("ServiceUnavailable", message, httpStatus: 503), to: request, in: service.dialect)
        response.headers[.retryAfter] = "1"
        return response
    }

    private func unavailable(_ state: State) -> ServiceResponse {
        var word = "starting"
        if case .stopping = state { word = "stopping" }
        if case .sealed = state { word = "sealed" }
        var response = text(503, "{\"status\":\"\(word)\"}\n", type: "application/json")
        response.headers[.retryAfter] = "1"
        return response
    }

    private func notAllowed() -> ServiceResponse {
        var response = text(405, "", type: "text/plain")
        response.headers[.allow] = "GET, HEAD"
        return response
    }

    private func text(_ status: Int, _ text: String, type: String) -> ServiceResponse {
        ServiceResponse(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"], body: .bytes(Array(text.utf8)))
    }
}
