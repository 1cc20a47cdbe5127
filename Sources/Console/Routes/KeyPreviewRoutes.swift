import AWSProtocol
import ArtifactStore
import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel

/// `GET /-/v1/key/deletion-preview`: what would become unreadable if a key of the caller's were disabled or deleted.
enum KeyPreviewRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/key/deletion-preview": preview]

    @Sendable static func preview(_ request: NativeRequest) async throws -> ServiceResponse {
        let id = try request.require("key")
        try request.authorise("PreviewKeyDeletion")
        let keys = request.services.keys
        let key: KMSKeyReference
        do {
            key = try await keys.resolveKey(id, in: request.scope)
        } catch let error as KeyError where error.code == .notFound {
            throw NativeError(404, "NoSuchKey", error.message)
        }
        guard key.scope.account == request.scope.account else {
            throw NativeError(404, "NoSuchKey", "\(id) is not a key of account \(request.scope.account)")
        }
        let time = Date()
        let limit = try request.number("limit", default: 100, max: 1000)
        let found = try await request.services.store.previewDeletion(of: key, limit: limit)
        var versions: [VersionItem] = []
        for version in found.versions { versions.append(try await request.item(version)) }
        return try .json(
            KeyPreviewAnswer(
                keyARN: found.keyARN, keyState: try await keys.key(key.scope, key.keyID).state.rawValue,
                versionCount: found.versionCount, bytes: found.logicalBytes, versions: versions,
                pins: found.pins.map {
                    .init(version: $0.version.rawValue, name: $0.name, kind: $0.kind.rawValue, owner: $0.owner)
                },
                pipelines: try await pipelines(request, key),
                shares: try await items(found.shares, time, request),
                survivingShares: try await items(found.survivingShares, time, request),
                dedupDomains: found.domainCount))
    }

    private static func items(_ shares: [ArtifactShare], _ time: Date, _ request: NativeRequest) async throws
        -> [ShareItem]
    {
        var items: [ShareItem] = []
        for share in shares {
            items.append(ShareItem(share, of: try await ShareRoutes.version(of: share, request), at: time))
        }
        return items
    }

    /// The pipelines that write under the key, or in whose stages runs what is under it.
    private static func pipelines(_ request: NativeRequest, _ key: KMSKeyReference) async throws
        -> [KeyPreviewAnswer.PipelineItem]
    {
        let service = request.services.pipelines
        var items: [KeyPreviewAnswer.PipelineItem] = []
        var token: String?
        repeat {
            let page = try await service.listPipelines(in: key.scope, nextToken: token)
            for summary in page.items {
                let declaration = try await service.getPipeline(summary.name, in: key.scope).declaration
                var stages: [String] = []
                for stage in declaration.stages.map(\.name) {
                    let passed = try await service.listExecutions(
                        of: summary.name, succeededIn: stage, in: key.scope, limit: 1)
                    if let execution = passed.items.first?.id,
                        try await request.services.store.hasVersions(ofExecution: execution, under: key)
                    {
                        stages.append(stage)
                    }
                }
                let writes = try await writes(declaration, key, request)
                if writes || !stages.isEmpty {
                    items.append(.init(pipeline: summary.name, writes: writes, stages: stages))
                }
            }
            token = page.nextToken
        } while token != nil
        return items
    }

    private static func writes(
        _ declaration: PipelineDeclaration, _ key: KMSKeyReference, _ request: NativeRequest
    ) async throws -> Bool {
        let stores = [declaration.artifactStore].compactMap { $0 } + Array((declaration.artifactStores ?? [:]).values)
        for store in stores {
            do {
                let used = try await request.services.keys.resolveKey(store.encryptionKey?.id, in: key.scope)
                if used.keyARN == key.keyARN { return true }
            } catch let error as KeyError where error.code == .notFound {
                continue  // The pipeline names a key that is gone: another one than this.
            }
        }
        return false
    }
}
