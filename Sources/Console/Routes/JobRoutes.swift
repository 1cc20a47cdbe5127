import AWSProtocol
import AccessControl
import ArtifactStore

/// `/-/v1/store/reencrypt`, `/-/v1/keys/rewrap` and `/-/v1/store/job…`: work on many versions.
enum JobRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "POST /-/v1/store/reencrypt": reencrypt, "POST /-/v1/keys/rewrap": rewrap, "GET /-/v1/store/jobs": list,
        "GET /-/v1/store/job": show, "POST /-/v1/store/job/cancel": cancel, "POST /-/v1/store/job/resume": resume,
    ]

    @Sendable static func reencrypt(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ReencryptStore")
        var rate: Int?
        if request.value("rate") != nil { rate = try request.number("rate", default: 1, max: .max) }
        let job = try await request.services.store.startReencryption(
            in: request.scope, key: request.value("key"), targetKey: request.value("to-key"), bytesPerSecond: rate,
            by: request.principal.arn)
        return try .json(JobAnswer(job, []))
    }

    @Sendable static func rewrap(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("RewrapDataKeys")
        let job = try await request.services.store.startRewrap(
            in: request.scope, key: request.value("key"), targetKey: request.value("to-key"),
            by: request.principal.arn)
        return try .json(JobAnswer(job, []))
    }

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetStoreStatistics")
        return try .json(try await request.services.store.jobs(in: request.scope).map { JobAnswer($0, []) })
    }

    @Sendable static func show(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetStoreStatistics")
        let job = try await job(request)
        return try .json(JobAnswer(job, try await request.services.store.skippedVersions(ofJob: job.id)))
    }

    @Sendable static func cancel(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ReencryptStore")
        return try .json(JobAnswer(try await request.services.store.cancelJob(try await job(request).id), []))
    }

    @Sendable static func resume(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ReencryptStore")
        return try .json(JobAnswer(try await request.services.store.resumeJob(try await job(request).id), []))
    }

    /// A job of the caller's account and Region.
    private static func job(_ request: NativeRequest) async throws -> StoreJob {
        let id = try request.require("id")
        let job = try await request.services.store.job(id)
        guard job.scope == request.scope else { throw NativeError(404, "NoSuchJob", "there is no job \(id)") }
        return job
    }
}

extension JobAnswer {
    init(_ job: StoreJob, _ skips: [SkippedVersion]) {
        self.init(
            id: job.id, kind: job.kind.rawValue, state: job.state.rawValue, key: job.keyARN,
            targetKey: job.targetKeyARN, total: job.total, done: job.done, skipped: job.skipped, bytes: job.bytes,
            message: job.message, createdBy: job.createdBy, created: job.createdAt, updated: job.updatedAt,
            skips: skips.map { Skip(version: $0.version.rawValue, reason: $0.reason) })
    }
}
