import Catalog
public import Foundation
public import KeyHierarchy
public import PipelineModel

/// One run of a rule of a condition.
public struct RuleExecutionDetail: Sendable, Hashable {
    /// The execution.
    public var executionID: String
    /// This run's id.
    public var ruleExecutionID: String
    /// The version of the pipeline under which it ran.
    public var pipelineVersion: Int
    /// The stage.
    public var stageName: String
    /// Where the condition stands.
    public var hook: ConditionHook
    /// The rule as declared; nil when its stage is gone from that version.
    public var rule: RuleDeclaration?
    /// The rule's name.
    public var ruleName: String
    /// When it started.
    public var startTime: Date
    /// When it last changed.
    public var lastUpdateTime: Date
    /// Its state.
    public var state: RuleStateView
}

extension PipelineService {
    /// Runs of rules, newest first.
    ///
    /// - Parameters:
    ///   - execution: only those of this execution.
    ///   - latestAttemptOnly: only those since the execution was started or retried last.
    /// - Throws: PipelineNotFoundException, PipelineExecutionNotFoundException, InvalidNextTokenException.
    public func listRuleExecutions(
        of pipeline: String, execution: String? = nil, latestAttemptOnly: Bool = false, in scope: AccountRegion,
        limit: Int? = nil, nextToken: String? = nil
    ) async throws -> Page<RuleExecutionDetail> {
        let size = min(limit ?? 100, 100)
        let binding =
            "ListRuleExecutions|\(scope.account)|\(scope.region)|\(pipeline)|\(execution ?? "")|\(latestAttemptOnly)"
        let before = try PagingToken.openNumber(nextToken, binding) ?? Int64.max
        return try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: pipeline, scope: scope)
            let columns = "id, execution, stage, hook, name, position, attempt, started, updated, record_json"
            let found: [Row]
            if let execution {
                let attempt = try Self.find(execution, row, transaction).attempt
                found = try transaction.rows(
                    """
                    SELECT \(columns) FROM pipeline_rules
                    WHERE execution = ? AND position < ? AND attempt >= ? ORDER BY position DESC LIMIT ?
                    """, execution, before, latestAttemptOnly ? attempt : 0, size + 1)
            } else {
                found = try transaction.rows(
                    """
                    SELECT \(columns) FROM pipeline_rules
                    WHERE pipeline = ? AND position < ? ORDER BY position DESC LIMIT ?
                    """, row.id, before, size + 1)
            }
            let items = try found.map { (position: try $0.int64("position"), row: $0) }
            return try PagingToken.page(items, size, binding) { String($0.position) }
                .map { try Self.detail($0.row, row, transaction) }
        }
    }

    private static func detail(
        _ row: Row, _ pipeline: PipelineRow, _ transaction: Transaction
    ) throws -> RuleExecutionDetail {
        let execution = try find(try row.string("execution"), pipeline, transaction)
        let hook = ConditionHook(rawValue: try row.string("hook")) ?? .beforeEntry
        let stage = try row.string("stage")
        let name = try row.string("name")
        let rule = try pipeline.declaration(transaction, version: execution.version).stage(stage)?.condition(hook)?
            .rules?.first { $0.name == name }
        return RuleExecutionDetail(
            executionID: execution.id, ruleExecutionID: try row.string("id"), pipelineVersion: execution.version,
            stageName: stage, hook: hook, rule: rule, ruleName: name, startTime: try row.date("started"),
            lastUpdateTime: try row.date("updated"), state: try JSONText.decode(try row.string("record_json")))
    }
}
