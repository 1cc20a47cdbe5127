import AWSProtocol
import Console
import HTTPTypes
import Logging

/// Finds the service that a request is for, has its signature verified, and hands it to the service's front.
struct ServiceDispatch: Sendable {
    let authenticator: Authenticator
    let fronts: [ServiceName: any ServiceFront]
    let native: any ServiceFront
    let logger: Logger

    func respond(to request: ServiceRequest) async -> ServiceResponse {
        var request = request
        let service: ServiceName
        do {
            service = try await ServiceRouter.route(&request)
        } catch {
            return .failure((error as? AWSError) ?? AWSError.internalFailure(in: .query), to: request, in: .query)
        }
        if service == .coffer { return await answerOwn(request) }
        guard let front = fronts[service] else {
            let error = AWSError(
                service.dialect == .query ? "InvalidAction" : "UnknownOperationException",
                "This server does not offer the service \(service.rawValue).",
                httpStatus: service.dialect == .query ? 400 : 404)
            return .failure(error, to: request, in: service.dialect)
        }
        do {
            return await front.respond(to: try await authenticator.verify(request, service: service))
        } catch {
            logger.debug("refused: \(error.code)", metadata: ["request": "\(request.requestID)"])
            return .failure(error, to: request, in: service.dialect)
        }
    }

    /// What lives under `/-/`, and a browser's visit to `/`.
    private func answerOwn(_ request: ServiceRequest) async -> ServiceResponse {
        guard request.path.hasPrefix("/-/v1/") else { return page(request) }
        do {
            return await native.respond(to: try await authenticator.verify(request, service: .coffer))
        } catch {
            return NativeError(error).response
        }
    }

    private func page(_ request: ServiceRequest) -> ServiceResponse {
        switch request.path {
        case "/", "/-":
            ServiceResponse(status: 302, headers: [.location: "/-/", .cacheControl: "no-store"])
        case "/-/":
            .text(
                status: 200, contentType: "text/plain; charset=utf-8",
                "Coffer \(CofferVersion.text) is ready.\nIts native interface is /-/v1/; `coffer --help` speaks it.\n")
        default:
            NativeError(404, "NoSuchRoute", "there is nothing at \(request.path)").response
        }
    }
}
