import AWSProtocol
import AccessControl
import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// How long the credentials in a job's data hold, in seconds; `GetJobDetails` gives fresh ones.
    static let jobCredentialSeconds = 15 * 60

    /// Jobs of custom actions, for the workers that poll for them.
    func addJobs(to table: inout JSONOperationTable) {
        addClaims(to: &table)
        addResults(to: &table)
    }

    private func addClaims(to table: inout JSONOperationTable) {
        table.on("PollForJobs") {
            (input: Shapes.PollForJobsInput, request: ServiceRequest) -> Shapes.PollForJobsOutput in
            let type = ActionTypeID(
                category: ActionCategory(rawValue: input.actionTypeId.category),
                owner: ActionOwner(rawValue: input.actionTypeId.owner), provider: input.actionTypeId.provider,
                version: input.actionTypeId.version)
            let caller = try authorize(request, "PollForJobs", on: "actiontype:\(type)")
            let jobs = try await service.pollForJobs(
                type, limit: input.maxBatchSize ?? 1, query: input.queryParam ?? [:], in: caller.scope)
            var shown: [Shapes.Job] = []
            for job in jobs {
                shown.append(
                    .init(
                        id: job.id, data: try await data(of: job, request), nonce: job.nonce,
                        accountId: caller.scope.account))
            }
            return .init(jobs: shown)
        }
        table.on("AcknowledgeJob") {
            (input: Shapes.AcknowledgeJobInput, request: ServiceRequest) -> Shapes.AcknowledgeJobOutput in
            let caller = try authorize(request, "AcknowledgeJob", on: nil)
            return .init(
                status: try await service.acknowledgeJob(input.jobId, nonce: input.nonce, in: caller.scope))
        }
        table.on("GetJobDetails") {
            (input: Shapes.GetJobDetailsInput, request: ServiceRequest) -> Shapes.GetJobDetailsOutput in
            let caller = try authorize(request, "GetJobDetails", on: nil)
            let job = try await service.jobDetails(input.jobId, in: caller.scope)
            return .init(
                jobDetails: .init(
                    id: job.id, data: try await data(of: job, request), accountId: caller.scope.account))
        }
    }

    private func addResults(to table: inout JSONOperationTable) {
        table.on("PutJobSuccessResult") { (input: Shapes.PutJobSuccessResultInput, request: ServiceRequest) in
            let caller = try authorize(request, "PutJobSuccessResult", on: nil)
            let success = WorkerSuccess(
                revision: input.currentRevision.map { revision in
                    SourceRevision(
                        id: revision.revision, changeID: revision.changeIdentifier,
                        summary: revision.revisionSummary, created: revision.created)
                }, continuationToken: input.continuationToken,
                progress: ActionProgress(
                    summary: input.executionDetails?.summary,
                    externalExecutionID: input.executionDetails?.externalExecutionId,
                    percentComplete: input.executionDetails?.percentComplete),
                variables: input.outputVariables ?? [:])
            try await service.putJobSuccess(input.jobId, success, in: caller.scope)
        }
        table.on("PutJobFailureResult") { (input: Shapes.PutJobFailureResultInput, request: ServiceRequest) in
            let caller = try authorize(request, "PutJobFailureResult", on: nil)
            let failure = ActionFailure(
                ActionFailure.Code(rawValue: input.failureDetails.type), input.failureDetails.message,
                externalExecutionID: input.failureDetails.externalExecutionId)
            try await service.putJobFailure(input.jobId, failure, in: caller.scope)
        }
    }

    /// What a worker needs: the action as resolved, where its artifacts are, and credentials for exactly these.
    private func data(of worker: WorkerJob, _ request: ServiceRequest) async throws -> Shapes.JobData {
        let job = worker.job
        return .init(
            actionTypeId: Self.encode(job.type), actionConfiguration: .init(configuration: job.configuration),
            pipelineContext: .init(
                pipelineName: job.pipelineName, stage: .init(name: job.stage),
                action: .init(name: job.action, actionExecutionId: job.actionExecutionID),
                pipelineArn: Self.arn(job.pipelineName, in: job.scope), pipelineExecutionId: job.executionID),
            inputArtifacts: job.inputs.map { Self.artifact($0.name, $0.bucket, $0.objectKey) },
            outputArtifacts: job.outputs.map { Self.artifact($0.name, $0.bucket, $0.objectKey) },
            artifactCredentials: try await credentials(for: job, request),
            continuationToken: worker.continuationToken,
            encryptionKey: job.keyID.map { .init(id: $0, type: "KMS") })
    }

    private static func artifact(_ name: String, _ bucket: String, _ key: String) -> Shapes.Artifact {
        .init(name: name, location: .init(type: "S3", s3Location: .init(bucketName: bucket, objectKey: key)))
    }

    private func credentials(
        for job: ActionJob, _ request: ServiceRequest
    ) async throws -> Shapes.AWSSessionCredentials? {
        guard !job.inputs.isEmpty || !job.outputs.isEmpty else { return nil }
        let session = try await access.issueSession(
            for: try request.requirePrincipal(),
            grant: .artifacts(
                reading: job.inputs.map { "\($0.bucket)/\($0.objectKey)" },
                writing: job.outputs.map { "\($0.bucket)/\($0.objectKey)" }),
            name: job.id, seconds: Self.jobCredentialSeconds)
        return .init(
            accessKeyId: session.principal.accessKeyID, secretAccessKey: session.secretText,
            sessionToken: session.sessionToken)
    }
}
