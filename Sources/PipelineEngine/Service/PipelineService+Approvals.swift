import Catalog
public import Foundation
public import KeyHierarchy
import PipelineModel

/// Manual approvals.
extension PipelineService {
    /// Answers an approval.
    ///
    /// - Returns: when it was answered.
    /// - Throws: PipelineNotFoundException, StageNotFoundException, ActionNotFoundException,
    ///   InvalidApprovalTokenException, ApprovalAlreadyCompletedException, ValidationException.
    public func putApprovalResult(
        approved: Bool, summary: String, token: String, action: String, stage: String, of pipeline: String,
        in scope: AccountRegion, caller: String
    ) async throws -> Date {
        var check = ShapeChecker()
        check.text(summary, "result.summary", 0...512)
        check.text(token, "token", nil, .uuid)
        try check.finish()
        return try await transact(pipeline, scope) { ledger in
            let declaration = try ledger.declaration()
            let found = try ledger.transaction.row(
                "SELECT \(ActionRow.columns) FROM pipeline_actions WHERE pipeline = ? AND approval = ?", ledger.row.id,
                token
            ).map(ActionRow.init)
            guard var row = found, row.stage == stage, row.action == action else {
                guard let declared = declaration.stage(stage) else {
                    throw PipelineError(.stageNotFound, "The pipeline '\(pipeline)' has no stage '\(stage)'")
                }
                guard declared.actions.contains(where: { $0.name == action }) else {
                    throw PipelineError(.actionNotFound, "The stage '\(stage)' has no action '\(action)'")
                }
                throw PipelineError(
                    .invalidApprovalToken, "The token is not that of an approval that waits in '\(stage)/\(action)'")
            }
            guard row.status == .inProgress else {
                if row.status == .abandoned || row.record.error?.code == ActionFailure.Code.timedOut.rawValue {
                    throw PipelineError(
                        .invalidApprovalToken, "The approval is \(row.status.rawValue) and can no longer be answered")
                }
                throw PipelineError(.approvalCompleted, "The approval was answered before")
            }
            row.record.updatedBy = caller
            row.record.progress.summary = summary
            try ledger.endAction(
                &row, approved ? .succeeded : .failed,
                error: approved
                    ? nil
                    : ErrorDetails(
                        code: ActionFailure.Code.jobFailed.rawValue,
                        message: "Rejected by \(caller)\(summary.isEmpty ? "" : ": \(summary)")"))
            try ledger.drain()
            return ledger.time
        }
    }

    /// Approvals that wait for an answer, oldest first; of one pipeline, or of all.
    public func pendingApprovals(
        of pipeline: String? = nil, in scope: AccountRegion, limit: Int = 1000
    ) async throws -> [PendingApproval] {
        try await catalog.read { transaction in
            var pipelines: [String: PipelineRow] = [:]
            var pending: [PendingApproval] = []
            let rows = try transaction.rows(
                """
                SELECT \(ActionRow.columns) FROM pipeline_actions
                WHERE status = 'InProgress' AND approval IS NOT NULL ORDER BY started LIMIT ?
                """, limit
            ).map(ActionRow.init)
            for row in rows {
                if pipelines[row.pipeline] == nil {
                    pipelines[row.pipeline] = try PipelineRow.find(transaction, id: row.pipeline)
                }
                guard let owner = pipelines[row.pipeline], owner.scope == scope,
                    pipeline == nil || owner.name == pipeline, let token = row.approval, let expires = row.expires
                else { continue }
                pending.append(
                    PendingApproval(
                        pipelineName: owner.name, executionID: row.execution,
                        executionNumber: row.record.executionNumber, stageName: row.stage, actionName: row.action,
                        token: token, since: row.started, expires: expires,
                        customData: row.record.resolvedConfiguration["CustomData"],
                        externalEntityLink: row.record.resolvedConfiguration["ExternalEntityLink"]))
            }
            return pending
        }
    }
}
