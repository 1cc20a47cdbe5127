import ArtifactStore
import Catalog
import Foundation
public import KeyHierarchy
import ObjectStorage
public import PipelineModel

/// A job as a custom action's worker sees it.
public struct WorkerJob: Sendable {
    /// The job's id.
    public var id: String
    /// With which the worker acknowledges the job.
    public var nonce: String?
    /// What to do, secrets in clear.
    public var job: ActionJob
    /// What the worker gave when it reported that the work goes on.
    public var continuationToken: String?
}

/// How a worker ends a job well.
public struct WorkerSuccess: Sendable {
    /// What a source action found, or what was worked on.
    public var revision: SourceRevision?
    /// The work goes on: another job with this token follows.
    public var continuationToken: String?
    /// What the worker reports.
    public var progress: ActionProgress
    /// Output variables.
    public var variables: [String: String]

    /// A success.
    public init(
        revision: SourceRevision? = nil, continuationToken: String? = nil, progress: ActionProgress = ActionProgress(),
        variables: [String: String] = [:]
    ) {
        self.revision = revision
        self.continuationToken = continuationToken
        self.progress = progress
        self.variables = variables
    }
}

/// Jobs of custom actions, whose workers poll.
extension PipelineService {
    /// Hands out jobs of a custom action type.
    ///
    /// - Parameter query: the value of the type's queryable property, when it has one.
    /// - Throws: ActionTypeNotFoundException, ValidationException.
    public func pollForJobs(
        _ type: ActionTypeID, limit: Int = 1, query: [String: String] = [:], in scope: AccountRegion
    ) async throws -> [WorkerJob] {
        guard type.owner == .custom else {
            throw PipelineError(.validation, "Only jobs of owner Custom can be polled for, not of '\(type.owner)'")
        }
        let time = environment.now()
        let claimed = try await write { transaction, context -> ([WorkerJob], Aftermath) in
            let known = try CustomActionTypes.find(type.description, transaction, scope)
            guard let known, !known.isDeleted else {
                throw PipelineError(.actionTypeNotFound, "There is no action type \(type)")
            }
            let key = known.type.properties.first { $0.queryable == true }?.name
            guard Set(query.keys) == Set([key].compactMap { $0 }) else {
                throw PipelineError(
                    .validation,
                    key.map { "queryParam must name the queryable property '\($0)' alone" }
                        ?? "The action type has no queryable property: leave out queryParam")
            }
            var jobs: [WorkerJob] = []
            for row in try transaction.rows(
                """
                SELECT pipeline_jobs.id AS id, token, query, continuation, action_execution FROM pipeline_jobs
                JOIN pipeline_pipelines ON pipeline_pipelines.id = pipeline_jobs.pipeline
                WHERE pipeline_jobs.state = 'Queued' AND pipeline_jobs.type = ? AND account = ? AND region = ?
                ORDER BY pipeline_jobs.created LIMIT 1000
                """, type.description, scope.account, scope.region)
            {
                if let key, try row.optionalString("query") != query[key] { continue }
                let id = try row.string("id")
                guard let action = try ActionRow.find(transaction, id: try row.string("action_execution")),
                    let pipeline = try PipelineRow.find(transaction, id: action.pipeline)
                else { continue }
                let nonce = context.environment.makeID()
                let token = try row.int64("token") + 1
                try transaction.execute(
                    "UPDATE pipeline_jobs SET state = 'Dispatched', nonce = ?, token = ?, lease = ? WHERE id = ?",
                    nonce,
                    token, time.addingTimeInterval(context.configuration.redeliverySeconds), id)
                jobs.append(
                    WorkerJob(
                        id: id, nonce: nonce, job: try JobLease.job(id, token, action, pipeline, transaction),
                        continuationToken: try row.optionalString("continuation")))
                if jobs.count >= max(1, limit) { break }
            }
            return (jobs, Aftermath())
        }
        return try await withSecrets(claimed)
    }

    /// Confirms that a worker has a job.
    ///
    /// - Returns: the state of the job; a worker drops jobs that are not `InProgress`.
    /// - Throws: JobNotFoundException, InvalidNonceException.
    public func acknowledgeJob(_ id: String, nonce: String, in scope: AccountRegion) async throws -> String {
        try await write { transaction, _ in
            let row = try Self.jobRow(id, scope, transaction)
            guard try row.optionalString("nonce") == nonce else {
                throw PipelineError(.invalidNonce, "The nonce is outdated: another worker has claimed the job")
            }
            guard try row.string("state") == "Dispatched" else { return (try row.string("state"), Aftermath()) }
            try transaction.execute(
                "UPDATE pipeline_jobs SET state = 'InProgress', lease = NULL WHERE id = ?", id)
            return ("InProgress", Aftermath())
        }
    }

    /// The details of a job.
    ///
    /// - Throws: JobNotFoundException.
    public func jobDetails(_ id: String, in scope: AccountRegion) async throws -> WorkerJob {
        let found = try await catalog.read { transaction in
            let row = try Self.jobRow(id, scope, transaction)
            guard let action = try ActionRow.find(transaction, id: try row.string("action_execution")),
                let pipeline = try PipelineRow.find(transaction, id: action.pipeline)
            else { throw PipelineError(.jobNotFound, "There is no job '\(id)'") }
            return WorkerJob(
                id: id, nonce: nil,
                job: try JobLease.job(id, try row.int64("token"), action, pipeline, transaction),
                continuationToken: try row.optionalString("continuation"))
        }
        return try await withSecrets([found])[0]
    }

    /// Ends a job well: the action succeeds, or goes on with another job.
    ///
    /// - Throws: JobNotFoundException, InvalidJobStateException, OutputVariablesSizeExceededException,
    ///   ValidationException.
    public func putJobSuccess(_ id: String, _ success: WorkerSuccess, in scope: AccountRegion) async throws {
        let bytes = success.variables.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard bytes <= Self.outputVariableBytesMax else {
            throw PipelineError(
                .outputVariablesSize,
                "The output variables have \(bytes) bytes; at most \(Self.outputVariableBytesMax) are allowed")
        }
        if success.continuationToken != nil, !success.variables.isEmpty {
            throw PipelineError(.validation, "A result with a continuationToken may not have outputVariables")
        }
        let uploaded = success.continuationToken == nil ? try await uploads(of: id, scope) : [:]
        try await endWorkerJob(id, scope) { ledger, action in
            action.record.progress.merge(success.progress)
            action.record.revision = success.revision ?? action.record.revision
            if let externalID = action.record.progress.externalExecutionID,
                let template = try ledger.actionTypes()[action.record.type]?.settings?.executionUrlTemplate
            {
                action.record.progress.externalExecutionURL = ActionLinks.fill(
                    template, configuration: action.record.resolvedConfiguration, externalID: externalID)
            }
            try ledger.endJobs(of: action.id, state: "Succeeded")
            if let token = success.continuationToken {
                action.updated = max(action.updated, ledger.time)
                try action.update(ledger.transaction)
                return try ledger.insertJob(for: action, continuation: token)
            }
            for (name, version) in uploaded {
                try ledger.transaction.execute(
                    "UPDATE pipeline_outputs SET version = ? WHERE action_execution = ? AND name = ?",
                    version.rawValue, action.id, name)
            }
            action.record.variables = success.variables
            try ledger.endAction(&action, .succeeded)
        }
    }

    /// Ends a job badly.
    ///
    /// - Throws: JobNotFoundException, InvalidJobStateException.
    public func putJobFailure(_ id: String, _ failure: ActionFailure, in scope: AccountRegion) async throws {
        try await endWorkerJob(id, scope) { ledger, action in
            action.record.progress.merge(ActionProgress(externalExecutionID: failure.externalExecutionID))
            try ledger.endJobs(of: action.id, state: "Failed")
            try ledger.endAction(
                &action, .failed, error: ErrorDetails(code: failure.code.rawValue, message: failure.message))
        }
    }

    // MARK: Parts

    private func endWorkerJob(
        _ id: String, _ scope: AccountRegion, _ body: @Sendable @escaping (Ledger, inout ActionRow) throws -> Void
    ) async throws {
        try await write { transaction, context in
            let row = try Self.jobRow(id, scope, transaction)
            let state = try row.string("state")
            guard let pipeline = try PipelineRow.find(transaction, id: try row.string("pipeline")),
                var action = try ActionRow.find(transaction, id: try row.string("action_execution")),
                state == "InProgress" || state == "Dispatched", action.status == .inProgress
            else {
                throw PipelineError(.invalidJobState, "The job '\(id)' is \(state) and takes no result")
            }
            let ledger = try Ledger(pipeline, transaction, context)
            try body(ledger, &action)
            try ledger.drain()
            try ledger.save()
            return ((), ledger.aftermath)
        }
    }

    private static func jobRow(_ id: String, _ scope: AccountRegion, _ transaction: Transaction) throws -> Row {
        let row = try transaction.row(
            """
            SELECT pipeline_jobs.pipeline AS pipeline, pipeline_jobs.state AS state, token, nonce, continuation,
                action_execution, pipeline_jobs.type AS type
            FROM pipeline_jobs JOIN pipeline_pipelines ON pipeline_pipelines.id = pipeline_jobs.pipeline
            WHERE pipeline_jobs.id = ? AND account = ? AND region = ?
            """, id, scope.account, scope.region)
        // Jobs of built-in actions are nobody's business but the engine's.
        guard let row, try row.string("type").hasPrefix("\(ActionOwner.custom)/") else {
            throw PipelineError(.jobNotFound, "There is no job '\(id)'")
        }
        return row
    }

    /// What a worker uploaded under the keys of its outputs.
    private func uploads(of id: String, _ scope: AccountRegion) async throws -> [String: VersionID] {
        let outputs = try await catalog.read { transaction in
            let row = try Self.jobRow(id, scope, transaction)
            return try OutputRow.of(actionExecution: try row.string("action_execution"), transaction)
        }
        var found: [String: VersionID] = [:]
        for output in outputs {
            do {
                found[output.name] = try await objects.head(
                    bucket: output.bucket, key: output.objectKey, versionID: nil
                ).content
            } catch let error as ObjectStorageError where error.code.hasPrefix("NoSuch") {
                // An output that was never uploaded fails the action that needs it, not this one.
                continue
            }
        }
        return found
    }

    private func withSecrets(_ jobs: [WorkerJob]) async throws -> [WorkerJob] {
        var result = jobs
        for index in result.indices {
            let job = result[index].job
            let keys = try await catalog.read {
                try ActionRow.find($0, id: job.actionExecutionID)?.record.secretKeys ?? []
            }
            result[index].job.configuration = try await open(
                job.configuration, secretKeys: keys, job.scope, job.pipelineName)
        }
        return result
    }

    /// Offers jobs again that were handed out and never acknowledged.
    func requeueUnacknowledged() async throws {
        let now = environment.now()
        let isAny = try await catalog.read {
            try $0.row("SELECT id FROM pipeline_jobs WHERE state = 'Dispatched' AND lease < ? LIMIT 1", now) != nil
        }
        guard isAny else { return }
        _ = try await catalog.write { transaction in
            try transaction.execute(
                """
                UPDATE pipeline_jobs SET state = 'Queued', nonce = NULL, lease = NULL
                WHERE state = 'Dispatched' AND lease < ?
                """, now)
        }
    }
}
