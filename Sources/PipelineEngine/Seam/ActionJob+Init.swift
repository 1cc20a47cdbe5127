public import Foundation
public import KeyHierarchy
public import PipelineModel

extension ActionJob {
    /// A job made by hand, for those who run actions without an engine.
    public init(
        id: String, scope: AccountRegion, pipelineName: String, executionID: String, stage: String, action: String,
        actionExecutionID: String, type: ActionTypeID, configuration: [String: String] = [:],
        commands: [String] = [], outputVariables: [String] = [], environment: [EnvironmentVariable] = [],
        inputs: [JobArtifact] = [], outputs: [JobOutput] = [], keyID: String? = nil, fencingToken: Int64 = 1,
        revisionOverrides: [SourceRevisionOverride] = [], startedAt: Date
    ) {
        self.init(
            id: id, fencingToken: fencingToken, scope: scope, pipelineName: pipelineName, pipelineVersion: 1,
            executionID: executionID, executionNumber: 1, attempt: 1, stage: stage, action: action,
            actionExecutionID: actionExecutionID, type: type, configuration: configuration, commands: commands,
            outputVariables: outputVariables, environment: environment, inputs: inputs, outputs: outputs, keyID: keyID,
            roleARN: nil, region: scope.region, revisionOverrides: revisionOverrides, startedBy: scope.account,
            startedAt: startedAt)
    }
}
