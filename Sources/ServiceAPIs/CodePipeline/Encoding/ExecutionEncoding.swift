import AWSProtocol
import PipelineEngine
import PipelineModel

/// The forms in which executions and runs of actions are listed.
extension CodePipelineOperations {
    static func encodeDetail(_ execution: ExecutionSummary) -> Shapes.PipelineExecution {
        .init(
            pipelineName: execution.pipelineName, pipelineVersion: execution.pipelineVersion,
            pipelineExecutionId: execution.id, status: execution.status.rawValue,
            statusSummary: execution.statusSummary,
            artifactRevisions: execution.revisions.map { found in
                .init(
                    name: found.artifactName, revisionId: found.revision.id,
                    revisionChangeIdentifier: found.revision.changeID, revisionSummary: found.revision.summary,
                    created: found.revision.created, revisionUrl: found.revision.url)
            },
            variables: execution.variables.isEmpty
                ? nil : execution.variables.map { .init(name: $0.name, resolvedValue: $0.resolvedValue) },
            trigger: encode(execution.trigger), executionMode: execution.mode.rawValue,
            executionType: execution.kind.rawValue, rollbackMetadata: rollback(execution))
    }

    static func encodeSummary(_ execution: ExecutionSummary) -> Shapes.PipelineExecutionSummary {
        .init(
            pipelineExecutionId: execution.id, status: execution.status.rawValue,
            statusSummary: execution.statusSummary, startTime: execution.startTime,
            lastUpdateTime: execution.lastUpdateTime,
            sourceRevisions: execution.revisions.map { found in
                .init(
                    actionName: found.actionName, revisionId: found.revision.id,
                    revisionSummary: found.revision.summary, revisionUrl: found.revision.url)
            }, trigger: encode(execution.trigger),
            stopTrigger: execution.stopReason.map { .init(reason: $0) }, executionMode: execution.mode.rawValue,
            executionType: execution.kind.rawValue, rollbackMetadata: rollback(execution))
    }

    private static func encode(_ trigger: PipelineEngine.ExecutionTrigger) -> Shapes.ExecutionTrigger {
        .init(triggerType: trigger.type, triggerDetail: trigger.detail)
    }

    private static func rollback(_ execution: ExecutionSummary) -> Shapes.PipelineRollbackMetadata? {
        execution.rollbackTarget.map { .init(rollbackTargetPipelineExecutionId: $0) }
    }

    static func encode(_ detail: PipelineEngine.ActionExecutionDetail) -> Shapes.ActionExecutionDetail {
        .init(
            pipelineExecutionId: detail.executionID, actionExecutionId: detail.actionExecutionID,
            pipelineVersion: detail.pipelineVersion, stageName: detail.stageName, actionName: detail.actionName,
            startTime: detail.startTime, lastUpdateTime: detail.lastUpdateTime, updatedBy: detail.updatedBy,
            status: detail.status.rawValue,
            input: .init(
                actionTypeId: encode(detail.type), configuration: detail.configuration,
                resolvedConfiguration: detail.resolvedConfiguration, roleArn: detail.roleARN, region: detail.region,
                inputArtifacts: detail.inputs.map(encode), namespace: detail.namespace),
            output: .init(
                outputArtifacts: detail.outputs.filter { $0.version != nil }.map(encode),
                executionResult: result(detail),
                outputVariables: detail.outputVariables.isEmpty ? nil : detail.outputVariables))
    }

    private static func encode(_ artifact: PipelineEngine.ArtifactLocation) -> Shapes.ArtifactDetail {
        .init(name: artifact.name, s3location: .init(bucket: artifact.bucket, key: artifact.objectKey))
    }

    /// An open approval's token stands in for the id of an external execution; pipelines whose state shows no executions
    /// have no other place for it.
    private static func result(_ detail: PipelineEngine.ActionExecutionDetail) -> Shapes.ActionExecutionResult {
        .init(
            externalExecutionId: detail.progress.externalExecutionID ?? detail.approvalToken,
            externalExecutionSummary: detail.progress.summary,
            externalExecutionUrl: detail.progress.externalExecutionURL, errorDetails: detail.error.map(encode),
            logStreamARN: detail.progress.logStream)
    }
}
