import AWSProtocol
import ArtifactDiff
import ArtifactStore
import HTTPTypes

/// `GET /-/v1/diff`: what differs between two versions, or between parts of them.
enum DiffRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/diff": diff]

    @Sendable static func diff(_ request: NativeRequest) async throws -> ServiceResponse {
        let (a, b) = (try request.require("a"), try request.require("b"))
        let word = request.value("detail") ?? DiffOptions.Detail.classes.rawValue
        guard let detail = DiffOptions.Detail(rawValue: word) else {
            throw NativeError(400, "InvalidParameter", "`detail` is one of names, classes, lines and patch")
        }
        let report = try await ArtifactDiffer.compare(
            old: try await tree("a", request), new: try await tree("b", request), oldName: a, newName: b,
            options: DiffOptions(detail: detail))
        return ServiceResponse(
            status: 200, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .bytes(Array(try JSONRenderer().render(report))))
    }

    private static func tree(_ parameter: String, _ request: NativeRequest) async throws -> any TreeSource {
        let target = try await request.target(parameter)
        var path = target.text.path
        if let inner = target.text.inner { path = (path ?? "") + "!" + inner }
        return try await VersionTree.open(request.services.store, target.version, path: path, through: target.share)
    }
}
