import AWSProtocol
import AccessControl
import ArtifactStore
import HTTPTypes

/// `PUT /-/v1/artifact`: a new version from a tar stream (`form=tree`) or from bytes that are kept as they are.
enum UploadRoutes {
    static let table: [String: NativeAPI.Handler] = ["PUT /-/v1/artifact": put]

    /// Files up to this size are stored from memory; larger ones as they arrive.
    private static let smallBytes: Int64 = 1 << 20

    @Sendable static func put(_ request: NativeRequest) async throws -> ServiceResponse {
        let target = try UploadName(try request.require("name"))
        try request.authorise("PutArtifact", target.text)
        let (repository, artifact) = (target.repository, target.artifact)
        let store = request.services.store
        let ingest = try await store.beginIngest(
            scope: request.scope, keyID: request.value("key"), repository: repository, artifact: artifact,
            isSensitive: request.isSet("sensitive"))
        do {
            try await request.requireWriting(ingest.key, target)
            let isTree = request.value("form") == "tree"
            let staged = isTree ? try await tree(request, ingest) : try await blob(request, ingest)
            let draft = VersionDraft(
                scope: request.scope, repository: repository, artifact: artifact, createdBy: request.principal.arn,
                tags: request.request.queryItems.filter { $0.name == "tag" }.map(\.value))
            let version = try await store.publish(staged, draft)
            return try .json(try await request.item(version), status: 201)
        } catch {
            ingest.abandon()
            throw error
        }
    }

    private static func blob(_ request: NativeRequest, _ ingest: Ingest) async throws -> StagedContent {
        let writer = try await ingest.openBlob()
        for try await piece in request.request.body { try await writer.write(piece) }
        return try await writer.finish()
    }

    private static func tree(_ request: NativeRequest, _ ingest: Ingest) async throws -> StagedContent {
        let reader = TarReader(request.request.body.makeAsyncIterator())
        let tree = try await ingest.openTree()
        do {
            while let member = try await reader.next() {
                switch member.kind {
                case .directory:
                    if !member.path.isEmpty { try await tree.addDirectory(member.path, mode: member.mode) }
                case .symlink: try await tree.addSymlink(member.path, target: member.target)
                case .file where member.size <= smallBytes:
                    var bytes: [UInt8] = []
                    while let piece = try await reader.content() { bytes += piece }
                    try await tree.addFile(member.path, mode: member.mode, bytes)
                case .file:
                    try await tree.addFile(member.path, mode: member.mode, TarContent(reader: reader))
                }
            }
            return try await tree.finish()
        } catch let error as TarError {
            throw NativeError(400, "InvalidArchive", error.description)
        }
    }
}
