import AWSProtocol
import AccessControl
import Foundation

/// `/-/v1/server` and `/-/v1/doctor`: the server about itself.
enum ServerRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/server": server, "GET /-/v1/doctor": doctor,
    ]

    @Sendable static func server(_ request: NativeRequest) async throws -> ServiceResponse {
        try .json(
            ServerAnswer(
                version: request.services.version, account: request.principal.account, region: request.request.region,
                caller: request.principal.arn, time: Date()))
    }

    @Sendable static func doctor(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("Doctor")
        return try .json(await Examination(services: request.services, scope: request.scope).run())
    }
}
