import AWSProtocol
import ArtifactStore

/// `/-/v1/store/…` and `/-/v1/why`: figures about the store, and its upkeep.
enum StoreRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/store/usage": usage, "GET /-/v1/store/exclusive": pipelineUsage, "GET /-/v1/store/stats": stats,
        "POST /-/v1/store/gc": collect,
        "POST /-/v1/store/scrub": scrub, "GET /-/v1/why": why,
    ]

    @Sendable static func stats(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("GetStoreStatistics")
        return try .json(Figures(try await request.services.store.statistics()))
    }

    @Sendable static func collect(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("CollectGarbage")
        let store = request.services.store
        let isPlan = request.isSet("plan")
        let retired = isPlan ? try await store.plannedRetention() : try await store.applyRetention()
        return try .json(Figures(try await store.collect(plan: isPlan), retired: retired.count))
    }

    @Sendable static func scrub(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("ScrubStore")
        let word = request.value("level") ?? ScrubLevel.allCases.last?.rawValue ?? ""
        guard let level = ScrubLevel(rawValue: word) else {
            let known = ScrubLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw NativeError(400, "InvalidParameter", "`level` is one of \(known)")
        }
        let limit = try request.value("limit").map { _ in try request.number("limit", default: 1, max: Int.max) }
        let rate = try request.value("rate").map { _ in try request.number("rate", default: 1, max: Int.max) }
        return try .json(
            ScrubAnswer(
                try await request.services.store.scrub(
                    level, bytesPerSecond: rate, byteLimit: limit.map(Int64.init), fresh: request.isSet("fresh"))))
    }

    @Sendable static func why(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetArtifact", try request.require("ref"))
        let version = try await request.reference().version
        let reasons = try await request.services.store.why(version.id).map { "\($0.kind): \($0.description)" }
        let exclusive =
            request.isSet("exclusive") ? try await request.services.store.exclusiveBytes(of: version.id) : nil
        return try .json(
            WhyAnswer(version: try await request.item(version), reasons: reasons, exclusiveBytes: exclusive))
    }

    @Sendable static func usage(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetStoreUsage")
        var items: [String: UsageItem] = [:]
        var after: String?
        repeat {
            let page = try await request.services.store.versions(
                VersionFilter(scope: request.scope), after: after, limit: 1000)
            for version in page.versions {
                let (repository, artifact) = (version.draft.repository, version.draft.artifact)
                var item =
                    items["\(repository)/\(artifact)"]
                    ?? UsageItem(repository: repository, artifact: artifact, versions: 0, bytes: 0, storedBytes: 0)
                item.versions += 1
                item.bytes += version.logicalBytes
                item.storedBytes += version.newStoredBytes
                items["\(repository)/\(artifact)"] = item
            }
            after = page.next
        } while after != nil
        var answer = items.values.sorted { ($0.repository, $0.artifact) < ($1.repository, $1.artifact) }
        if request.isSet("exclusive") {
            for index in answer.indices {
                answer[index].exclusiveBytes = try await request.services.store.exclusiveBytes(
                    ofRepository: answer[index].repository, artifact: answer[index].artifact, in: request.scope)
            }
        }
        return try .json(answer)
    }

    /// The same for whole pipelines: what artifacts of one pipeline share belongs to the pipeline alone.
    @Sendable static func pipelineUsage(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetStoreUsage")
        let name = try request.require("name")
        return try .json(
            ExclusiveAnswer(
                bytes: try await request.services.store.exclusiveBytes(ofRepository: name, in: request.scope)))
    }
}
