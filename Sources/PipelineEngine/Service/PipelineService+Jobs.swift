import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import Logging
import ObjectStorage
import PipelineModel

/// Jobs of this server's own runners.
extension PipelineService {
    /// The same as `transact`, for a name that may be gone meanwhile.
    func transactIfThere<T: Sendable>(
        _ name: String, _ scope: AccountRegion, _ body: @Sendable @escaping (Ledger) throws -> T
    ) async throws -> T? {
        try await write { transaction, context in
            guard let row = try PipelineRow.find(transaction, name: name, scope: scope) else {
                return (nil, Aftermath())
            }
            let ledger = try Ledger(row, transaction, context)
            let value = try body(ledger)
            try ledger.save()
            return (value, ledger.aftermath)
        }
    }

    /// Claims a job, runs it and records how it ended. Never throws: what cannot be recorded is found again later.
    func runJob(_ id: String) async {
        do {
            let owner = owner
            let claimed = try await write { transaction, context in
                (try JobLease.claim(id, owner: owner, transaction, context), Aftermath())
            }
            guard var job = claimed, let runner = runner(for: job.type) else { return }
            let secretKeys = try await catalog.read { [id = job.actionExecutionID] in
                try ActionRow.find($0, id: id)?.record.secretKeys ?? []
            }
            job.configuration = try await open(
                job.configuration, secretKeys: secretKeys, job.scope, job.pipelineName)
            try step("after claim")
            let result = await run(job, with: runner)
            try step("after run")
            try await finish(job, result)
        } catch {
            if isKilled { return }
            logger.error("job could not be settled", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }

    private func runner(for type: ActionTypeID) -> (any ActionRunner)? {
        runners[type] ?? (type == PipelineInvocation.type ? PipelineInvocation(service: self) : nil)
    }

    /// Runs a job while its lease is kept.
    private func run(_ job: ActionJob, with runner: any ActionRunner) async -> JobResult {
        await withTaskGroup(of: JobResult?.self) { group in
            group.addTask { await self.attempt(job, with: runner) }
            group.addTask { await self.keepLease(of: job) }
            while let ended = await group.next() {
                if let ended {
                    group.cancelAll()
                    return ended
                }
            }
            return .interrupted
        }
    }

    private func attempt(_ job: ActionJob, with runner: any ActionRunner) async -> JobResult {
        do {
            if let output = job.outputs.first {
                do {
                    _ = try await objects.headBucket(output.bucket)
                } catch let error as ObjectStorageError where error.code == "NoSuchBucket" {
                    return .failed(.missingBucket(output.bucket, job.pipelineName))
                }
            }
            let outcome = try await runner.run(job, in: JobContext(service: self, job: job))
            for (name, version) in outcome.outputs { try await show(version, as: name, of: job) }
            return .succeeded(outcome)
        } catch let failure as ActionFailure {
            return .failed(failure)
        } catch is LostLease {
            return .lost
        } catch {
            if Task.isCancelled || error is CancellationError || isKilled { return .interrupted }
            logger.warning("runner failed", metadata: ["job": "\(job.id)", "error": "\(error)"])
            return .failed(ActionFailure(.systemUnavailable, "\(error)"))
        }
    }

    /// Makes a version that a runner returned appear under the key of an output, unless it was published there.
    private func show(_ version: VersionID, as name: String, of job: ActionJob) async throws {
        guard let output = job.outputs.first(where: { $0.name == name }) else { return }
        let known = try await catalog.read { [id = job.actionExecutionID] in
            try OutputRow.of(actionExecution: id, $0).first { $0.name == name }?.version
        }
        if known != version {
            try await objects.put(bucket: output.bucket, key: output.objectKey, presenting: version)
        }
    }

    /// Renews the lease until the task is cancelled.
    private func keepLease(of job: ActionJob) async -> JobResult? {
        while true {
            do {
                try await environment.sleep(.seconds(configuration.leaseSeconds / 3))
                let until = environment.now().addingTimeInterval(configuration.leaseSeconds)
                try await catalog.write {
                    try JobLease.renew(job.id, token: job.fencingToken, until: until, $0)
                }
            } catch is LostLease {
                return .lost
            } catch {
                // Cancelled, or the catalogue does not answer; then the lease runs out and publishing is refused.
                return nil
            }
        }
    }

    /// Records the end of a job under its fencing token.
    private func finish(_ job: ActionJob, _ result: JobResult) async throws {
        switch result {
        case .lost:
            logger.info("job was taken over or abandoned", metadata: ["job": "\(job.id)"])
        case .interrupted:
            try await catalog.write { try JobLease.release(job.id, token: job.fencingToken, $0) }
        case .succeeded, .failed:
            do {
                _ = try await transactIfThere(job.pipelineName, job.scope) { ledger in
                    try JobLease.check(job.id, token: job.fencingToken, ledger.transaction)
                    try ledger.finish(job, result)
                }
            } catch is LostLease {
                logger.info("job was taken over or abandoned", metadata: ["job": "\(job.id)"])
            }
        }
    }
}

extension Ledger {
    /// Ends an action with the result of its job.
    func finish(_ job: ActionJob, _ result: JobResult) throws {
        guard var action = try ActionRow.find(transaction, id: job.actionExecutionID), action.status == .inProgress
        else { return }
        switch result {
        case .succeeded(let outcome):
            let bytes = outcome.variables.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            guard bytes <= PipelineService.outputVariableBytesMax else {
                let failure = ActionFailure(
                    .jobFailed,
                    "The output variables have \(bytes) bytes; at most \(PipelineService.outputVariableBytesMax) are "
                        + "allowed")
                return try finish(job, .failed(failure))
            }
            for (name, version) in outcome.outputs {
                try transaction.execute(
                    "UPDATE pipeline_outputs SET version = ? WHERE action_execution = ? AND name = ?",
                    version.rawValue, action.id, name)
            }
            action.record.variables = outcome.variables
            action.record.revision = outcome.revision ?? action.record.revision
            action.record.progress.merge(
                ActionProgress(
                    summary: outcome.summary, externalExecutionID: outcome.externalExecutionID,
                    externalExecutionURL: outcome.externalExecutionURL, logStream: outcome.logStream))
            try endJobs(of: action.id, state: "Succeeded")
            try endAction(&action, .succeeded)
        case .failed(let failure):
            action.record.progress.merge(
                ActionProgress(externalExecutionID: failure.externalExecutionID, logStream: failure.logStream))
            try endJobs(of: action.id, state: "Failed")
            try endAction(
                &action, .failed, error: ErrorDetails(code: failure.code.rawValue, message: failure.message))
        case .interrupted, .lost:
            return
        }
        try drain()
    }
}

extension PipelineService {
    /// The most bytes that the output variables of one action may have, names included.
    static let outputVariableBytesMax = 122_880
}
