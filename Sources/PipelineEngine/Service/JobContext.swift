import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import ObjectStorage
import PipelineModel

/// What a runner may do for one job.
struct JobContext: ActionContext {
    let service: PipelineService
    let job: ActionJob

    var store: ArtifactStore { service.store }
    var objects: ObjectStorage { service.objects }

    func publish(_ staged: StagedContent, as name: String) async throws -> VersionID {
        guard let output = job.outputs.first(where: { $0.name == name }) else {
            let known = job.outputs.map(\.name).joined(separator: ", ")
            throw ActionFailure(
                .configuration, "The action '\(job.action)' has no output artifact '\(name)'; it declares: \(known)")
        }
        try service.step("before publish")
        let draft = VersionDraft(
            scope: job.scope, repository: job.pipelineName, artifact: name, execution: job.executionID,
            executionNumber: job.executionNumber, stage: job.stage, action: job.action,
            actionExecution: job.actionExecutionID, createdBy: job.startedBy,
            attributes: ["attempt": String(job.attempt), "pipelineVersion": String(job.pipelineVersion)])
        let register = objects.artifactRows(bucket: output.bucket, key: output.objectKey)
        let job = job
        let version: Version
        do {
            version = try await store.publish(staged, draft) { transaction, version in
                try JobLease.check(job.id, token: job.fencingToken, transaction)
                try register(transaction, version)
                try transaction.execute(
                    "UPDATE pipeline_outputs SET version = ? WHERE action_execution = ? AND name = ?",
                    version.id.rawValue, job.actionExecutionID, name)
            }
        } catch let error as ObjectStorageError where error.code == "NoSuchBucket" {
            throw ActionFailure.missingBucket(output.bucket, job.pipelineName)
        }
        try service.step("after publish")
        return version.id
    }

    func report(_ progress: ActionProgress) async throws {
        let job = job
        let isThere: Bool? = try await service.transactIfThere(job.pipelineName, job.scope) { ledger in
            try JobLease.check(job.id, token: job.fencingToken, ledger.transaction)
            guard var action = try ActionRow.find(ledger.transaction, id: job.actionExecutionID) else {
                throw LostLease(jobID: job.id)
            }
            action.record.progress.merge(progress)
            action.updated = max(action.updated, ledger.time)
            try action.update(ledger.transaction)
            try ledger.record(
                .action, "PROGRESS", execution: try ledger.execution(action.execution), stage: action.stage,
                action: action.action, actionExecution: action.id, message: progress.summary)
            return true
        }
        if isThere != true { throw LostLease(jobID: job.id) }
    }
}

extension ActionProgress {
    /// Takes over what the other one says.
    mutating func merge(_ other: ActionProgress) {
        summary = other.summary ?? summary
        externalExecutionID = other.externalExecutionID ?? externalExecutionID
        externalExecutionURL = other.externalExecutionURL ?? externalExecutionURL
        percentComplete = other.percentComplete ?? percentComplete
        logStream = other.logStream ?? logStream
    }
}

extension ActionFailure {
    static func missingBucket(_ bucket: String, _ pipeline: String) -> ActionFailure {
        ActionFailure(
            .configuration,
            "The artifact bucket '\(bucket)' of pipeline '\(pipeline)' does not exist: create it, for example with "
                + "'aws s3 mb s3://\(bucket)', and retry the stage")
    }
}
