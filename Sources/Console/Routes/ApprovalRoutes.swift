import AWSProtocol
import AccessControl
import PipelineEngine
import PipelineModel

/// `/-/v1/approvals`: decisions that wait for somebody.
enum ApprovalRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/approvals": list, "POST /-/v1/approvals": decide,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListApprovals")
        return try .json(try await pending(request, request.value("pipeline")).map(item))
    }

    @Sendable static func decide(_ request: NativeRequest) async throws -> ServiceResponse {
        let decision: ApprovalDecision = try await request.decode()
        try request.authorise("PutApprovalResult", decision.pipeline)
        let waiting = try await pending(request, decision.pipeline).filter {
            (decision.stage == nil || decision.stage == $0.stageName)
                && (decision.action == nil || decision.action == $0.actionName)
                && (decision.token == nil || decision.token == $0.token)
        }
        guard let approval = waiting.first else {
            throw NativeError(
                404, "NoSuchApproval", "no decision of that description waits in pipeline \(decision.pipeline)")
        }
        guard waiting.count == 1 else {
            let names = waiting.map { "\($0.stageName)/\($0.actionName)" }.joined(separator: ", ")
            throw NativeError(
                409, "SeveralApprovals", "several decisions wait, name one with --stage and --action: \(names)")
        }
        _ = try await request.services.pipelines.putApprovalResult(
            approved: decision.approve, summary: decision.summary, token: approval.token, action: approval.actionName,
            stage: approval.stageName, of: approval.pipelineName, in: request.scope, caller: request.principal.arn)
        return try .json(item(approval))
    }

    private static func pending(_ request: NativeRequest, _ pipeline: String?) async throws -> [PendingApproval] {
        try await request.services.pipelines.pendingApprovals(of: pipeline, in: request.scope)
    }

    private static func item(_ approval: PendingApproval) -> ApprovalItem {
        ApprovalItem(
            pipeline: approval.pipelineName, stage: approval.stageName, action: approval.actionName,
            executionID: approval.executionID, executionNumber: approval.executionNumber, token: approval.token,
            requested: approval.since, expires: approval.expires, customData: approval.customData,
            url: approval.externalEntityLink)
    }
}
