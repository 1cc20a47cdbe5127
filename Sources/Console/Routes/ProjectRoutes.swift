import AWSProtocol
import ActionProviders

/// `/-/v1/projects`: build projects.
enum ProjectRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/projects": list, "PUT /-/v1/projects": put,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListProjects")
        let found = try await request.services.providers.buildProjects.projects(in: request.scope)
        return try .json(found.map(item))
    }

    @Sendable static func put(_ request: NativeRequest) async throws -> ServiceResponse {
        let wanted: ProjectItem = try await request.decode()
        try request.authorise("PutProject", wanted.name)
        var project = BuildProject(name: wanted.name)
        project.buildspec = wanted.buildspec
        project.environment = wanted.environment.sorted { $0.key < $1.key }
            .map { BuildVariable(name: $0.key, value: $0.value) }
        if let seconds = wanted.timeoutSeconds { project.timeoutMinutes = max(1, seconds / 60) }
        try await request.services.providers.buildProjects.put(project, in: request.scope)
        return try .json(item(project))
    }

    private static func item(_ project: BuildProject) -> ProjectItem {
        ProjectItem(
            name: project.name, buildspec: project.buildspec, timeoutSeconds: project.timeoutMinutes * 60,
            environment: Dictionary(project.environment.map { ($0.name, $0.value) }) { $1 })
    }
}
