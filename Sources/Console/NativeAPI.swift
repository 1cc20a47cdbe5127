public import AWSProtocol
import AccessControl
import HTTPTypes
import KeyHierarchy
import Logging

/// Coffer's own interface, `/-/v1/…`: JSON in and out, signed with SigV4 for the service `coffer`.
///
/// One small function a route. What several routes need lies beside them, not in them.
public struct NativeAPI: ServiceFront {
    typealias Handler = @Sendable (NativeRequest) async throws -> ServiceResponse

    private let services: NativeServices
    private let routes: [String: Handler]

    /// An interface over the services of one server.
    public init(services: NativeServices) {
        self.services = services
        var routes: [String: Handler] = [:]
        for group in NativeAPI.groups {
            for (route, handler) in group { routes[route] = handler }
        }
        self.routes = routes
    }

    /// Every route as `METHOD /path`, by subject.
    private static var groups: [[String: Handler]] {
        [
            ServerRoutes.table, PipelineRoutes.table, ExecutionRoutes.table, WatchRoutes.table, LogRoutes.table,
            ApprovalRoutes.table, ArtifactRoutes.table, ReferenceRoutes.table, UploadRoutes.table, PutRoutes.table,
            DiffRoutes.table, RepositoryRoutes.table, ProjectRoutes.table, StoreRoutes.table, KeyRoutes.table,
            VerifyRoutes.table, JobRoutes.table, ShareRoutes.table, AccountRoutes.table, KeyPreviewRoutes.table,
        ]
    }

    /// Answers a request whose signature has been verified.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        do {
            guard let handler = routes["\(request.method) \(request.path)"] else {
                let known = routes.keys.contains { $0.hasSuffix(" \(request.path)") }
                throw known
                    ? NativeError(405, "MethodNotAllowed", "\(request.path) does not take \(request.method)")
                    : NativeError(404, "NoSuchRoute", "there is nothing at \(request.path)")
            }
            return try await handler(NativeRequest(request: request, services: services))
        } catch {
            return failure(error, request)
        }
    }

    private func failure(_ error: any Error, _ request: ServiceRequest) -> ServiceResponse {
        let known = NativeError(error)
        if known.status >= 500 {
            services.logger.error(
                "\(request.method) \(request.path): \(String(reflecting: error))",
                metadata: ["request": "\(request.requestID)"])
        }
        return known.response
    }
}

/// A request with what answering it takes.
struct NativeRequest: Sendable {
    let request: ServiceRequest
    let services: NativeServices

    /// Whose things are meant.
    var scope: AccountRegion { AccountRegion(account: principal.account, region: request.region) }

    /// Who asks.
    var principal: Principal {
        request.principal ?? Principal.root(account: "", accessKeyID: "")
    }

    /// A query parameter that may be missing.
    func value(_ name: String) -> String? {
        request.queryValue(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A query parameter that must be there.
    func require(_ name: String) throws -> String {
        guard let value = value(name) else { throw NativeError(400, "MissingParameter", "the request lacks `\(name)`") }
        return value
    }

    /// A number between bounds.
    func number(_ name: String, default standard: Int, max: Int) throws -> Int {
        guard let text = value(name) else { return standard }
        guard let number = Int(text), number > 0 else {
            throw NativeError(400, "InvalidParameter", "`\(name)` must be a positive number, not \(text)")
        }
        return min(number, max)
    }

    func isSet(_ name: String) -> Bool { value(name) == "1" || value(name) == "true" }

    /// The body as a value.
    func decode<Value: Decodable>(_ type: Value.Type = Value.self) async throws -> Value {
        let bytes = try await request.body.collect(upTo: 16 << 20)
        do {
            return try JSON.decode(type, from: bytes)
        } catch {
            throw NativeError(400, "InvalidBody", "the body is not what this route takes: \(error)")
        }
    }

    /// Refuses what the caller may not do.
    func authorise(_ action: String, _ resource: String = "*") throws {
        do {
            try services.access.authorize(principal, action: "coffer:\(action)", resource: resource)
        } catch {
            throw NativeError(403, "AccessDenied", error.description)
        }
    }
}

extension NativeRequest {
    /// Refuses everybody but the operator of the installation: what concerns all accounts is not for one of them.
    func authoriseOperator(_ action: String) async throws {
        try authorise(action)
        guard try await services.access.isOperator(principal) else {
            throw NativeError(
                403, "AccessDenied",
                "\(principal.arn) is not the operator of this installation; coffer:\(action) concerns all accounts")
        }
    }
}

extension ServiceResponse {
    /// A value as JSON.
    static func json(_ value: some Encodable, status: Int = 200) throws -> ServiceResponse {
        ServiceResponse(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .bytes(try JSON.compact(value) + [10]))
    }
}
