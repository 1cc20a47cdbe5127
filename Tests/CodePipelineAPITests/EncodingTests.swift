import AWSProtocol
import Foundation
import PipelineModel
import Testing

@testable import CodePipelineAPI
@testable import PipelineEngine

/// The forms in which the engine's views go over the wire.
struct EncodingTests {
    static let start = Date(timeIntervalSince1970: 1_586_273_484.137)

    static func json(_ value: some Encodable) throws -> JSONValue {
        try AWSJSON.decode(JSONValue.self, from: try AWSJSON.encode(value))
    }

    static func detail(_ status: ActionStatus, token: String? = nil) -> ActionExecutionDetail {
        ActionExecutionDetail(
            executionID: "e", executionNumber: 1, actionExecutionID: "a", pipelineVersion: 2, stageName: "Gate",
            actionName: "Ask", attempt: 1, startTime: start, lastUpdateTime: start, updatedBy: nil, status: status,
            type: .manualApproval, configuration: ["CustomData": "x"], resolvedConfiguration: ["CustomData": "x"],
            roleARN: nil, region: "us-east-1", namespace: nil,
            inputs: [.init(name: "App", bucket: "b", objectKey: "k", version: nil)],
            outputs: [.init(name: "Report", bucket: "b", objectKey: "r", version: nil)],
            progress: ActionProgress(summary: "waits"), error: nil, outputVariables: [:], approvalToken: token,
            expires: nil, revision: nil)
    }

    @Test func aRunOfAnActionIsListedWithoutWhatItLacks() throws {
        let shown = try Self.json(CodePipelineOperations.encode(Self.detail(.inProgress, token: "t")))
        let expected = """
            {"pipelineExecutionId":"e","actionExecutionId":"a","pipelineVersion":2,"stageName":"Gate","actionName":"Ask",
             "startTime":1586273484.137,"lastUpdateTime":1586273484.137,"status":"InProgress",
             "input":{"actionTypeId":{"category":"Approval","owner":"AWS","provider":"Manual","version":"1"},
              "configuration":{"CustomData":"x"},"resolvedConfiguration":{"CustomData":"x"},"region":"us-east-1",
              "inputArtifacts":[{"name":"App","s3location":{"bucket":"b","key":"k"}}]},
             "output":{"outputArtifacts":[],
              "executionResult":{"externalExecutionId":"t","externalExecutionSummary":"waits"}}}
            """
        #expect(try shown == AWSJSON.decode(JSONValue.self, from: Array(expected.utf8)))
    }

    @Test func theStateShowsWhatWaitsWhatRunsAndWhatWasDecided() throws {
        let waiting = StageExecutionView(executionID: "e2", executionNumber: 2, status: .inProgress, kind: .standard)
        let inside = StageExecutionView(executionID: "e", executionNumber: 1, status: .inProgress, kind: .standard)
        let open = TransitionView(enabled: true)
        let condition = ConditionStateView(
            hook: .beforeEntry, status: .failed, summary: "no", lastStatusChange: Self.start,
            rules: [
                RuleStateView(
                    ruleExecutionID: "r", name: "Window", status: .failed, summary: nil, error: nil,
                    resolvedConfiguration: [:])
            ])
        let view = PipelineStateView(
            pipelineName: "p", pipelineVersion: 2,
            stages: [
                StageStateView(
                    name: "Gate", inbound: [waiting], inboundTransition: open, outboundTransition: open,
                    actions: [
                        ActionStateView(
                            name: "Ask", revision: SourceRevision(id: "rev"),
                            latest: Self.detail(.inProgress, token: "t"), entityURL: nil, revisionURL: nil)
                    ], latest: inside, conditions: [condition],
                    retry: RetryStageView(automatic: 0, manual: 1, latestTrigger: "ManualStageRetry"))
            ], created: Self.start, updated: Self.start, sequence: 9)
        let expected = """
            {"pipelineName":"p","pipelineVersion":2,"created":1586273484.137,"updated":1586273484.137,
             "stageStates":[{"stageName":"Gate",
              "inboundExecution":{"pipelineExecutionId":"e2","status":"InProgress","type":"STANDARD"},
              "inboundExecutions":[{"pipelineExecutionId":"e2","status":"InProgress","type":"STANDARD"}],
              "inboundTransitionState":{"enabled":true},
              "actionStates":[{"actionName":"Ask","currentRevision":{"revisionId":"rev"},
               "latestExecution":{"actionExecutionId":"a","status":"InProgress","summary":"waits",
                "lastStatusChange":1586273484.137,"token":"t"}}],
              "latestExecution":{"pipelineExecutionId":"e","status":"InProgress","type":"STANDARD"},
              "beforeEntryConditionState":{"latestExecution":{"status":"Failed","summary":"no"},
               "conditionStates":[{"latestExecution":{"status":"Failed","summary":"no",
                "lastStatusChange":1586273484.137},
                "ruleStates":[{"ruleName":"Window","latestExecution":{"ruleExecutionId":"r","status":"Failed",
                 "lastStatusChange":1586273484.137}}]}]},
              "retryStageMetadata":{"autoStageRetryAttempt":0,"manualStageRetryAttempt":1,
               "latestRetryTrigger":"ManualStageRetry"}}]}
            """
        #expect(
            try Self.json(CodePipelineOperations.encode(view))
                == AWSJSON.decode(JSONValue.self, from: Array(expected.utf8)))
    }

    @Test func anExecutionIsShownInFullAndInSummary() throws {
        let execution = ExecutionSummary(
            pipelineName: "p", pipelineVersion: 2, id: "e", number: 1, status: .stopped, statusSummary: nil,
            startTime: Self.start, lastUpdateTime: Self.start,
            revisions: [
                ExecutionRevision(
                    actionName: "Fetch", artifactName: "App", revision: SourceRevision(id: "v1", summary: "first"))
            ], variables: [], trigger: ExecutionTrigger(type: "CreatePipeline", detail: "arn"), stopReason: "enough",
            mode: .queued, kind: .rollback, rollbackTarget: "e0", attempt: 1)
        let full = try Self.json(CodePipelineOperations.encodeDetail(execution))
        #expect(
            full["artifactRevisions"]
                == .array([
                    .object(["name": .string("App"), "revisionId": .string("v1"), "revisionSummary": .string("first")])
                ]))
        #expect(full["variables"] == nil)
        #expect(full["rollbackMetadata"]?["rollbackTargetPipelineExecutionId"] == .string("e0"))
        let summary = try Self.json(CodePipelineOperations.encodeSummary(execution))
        #expect(
            summary["sourceRevisions"]
                == .array([
                    .object([
                        "actionName": .string("Fetch"), "revisionId": .string("v1"),
                        "revisionSummary": .string("first"),
                    ])
                ]))
        #expect(summary["stopTrigger"]?["reason"] == .string("enough"))
        #expect(summary["executionType"] == .string("ROLLBACK"))
        #expect(summary["executionMode"] == .string("QUEUED"))
    }
}
