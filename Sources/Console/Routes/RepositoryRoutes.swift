import AWSProtocol
import ActionProviders

/// `/-/v1/repositories`: names for Git repositories.
enum RepositoryRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/repositories": list, "PUT /-/v1/repositories": add, "DELETE /-/v1/repositories": remove,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListRepositories")
        let found = try await request.services.providers.gitRepositories.repositories(in: request.scope)
        return try .json(found.map { RepositoryItem(name: $0.name, location: $0.location) })
    }

    @Sendable static func add(_ request: NativeRequest) async throws -> ServiceResponse {
        let item: RepositoryItem = try await request.decode()
        try request.authorise("PutRepository", item.name)
        let made = try await request.services.providers.gitRepositories.register(
            item.name, at: item.location, in: request.scope)
        return try .json(RepositoryItem(name: made.name, location: made.location))
    }

    @Sendable static func remove(_ request: NativeRequest) async throws -> ServiceResponse {
        let name = try request.require("name")
        try request.authorise("DeleteRepository", name)
        try await request.services.providers.gitRepositories.remove(name, in: request.scope)
        return try .json(Done("\(name) names no repository any more"))
    }
}
