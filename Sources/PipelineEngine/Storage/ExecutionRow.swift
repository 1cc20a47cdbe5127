import Catalog
import Foundation
import PipelineModel

/// A row of `pipeline_executions`.
struct ExecutionRow: Sendable {
    var id: String
    var pipeline: String
    var number: Int
    var version: Int
    var status: ExecutionStatus
    var summary: String?
    var mode: ExecutionMode
    var kind: ExecutionKind
    var trigger: ExecutionTrigger
    var started: Date
    var updated: Date
    var attempt: Int
    var stopReason: String?
    var variables: [ResolvedVariable]
    var overrides: [SourceRevisionOverride]
    var revisions: [ExecutionRevision]
    var rollbackTarget: String?

    static let columns = """
        id, pipeline, number, version, status, summary, mode, kind, trigger_type, trigger_detail, started, updated, \
        attempt, stop_reason, variables_json, overrides_json, revisions_json, rollback_target
        """

    init(
        id: String, pipeline: String, number: Int, version: Int, mode: ExecutionMode, kind: ExecutionKind,
        trigger: ExecutionTrigger, started: Date, variables: [ResolvedVariable], overrides: [SourceRevisionOverride],
        revisions: [ExecutionRevision] = [], rollbackTarget: String? = nil
    ) {
        self.id = id
        self.pipeline = pipeline
        self.number = number
        self.version = version
        status = .inProgress
        self.mode = mode
        self.kind = kind
        self.trigger = trigger
        self.started = started
        updated = started
        attempt = 1
        self.variables = variables
        self.overrides = overrides
        self.revisions = revisions
        self.rollbackTarget = rollbackTarget
    }

    init(_ row: Row) throws {
        id = try row.string("id")
        pipeline = try row.string("pipeline")
        number = try row.int("number")
        version = try row.int("version")
        status = ExecutionStatus(rawValue: try row.string("status")) ?? .failed
        summary = try row.optionalString("summary")
        mode = ExecutionMode(rawValue: try row.string("mode"))
        kind = ExecutionKind(rawValue: try row.string("kind")) ?? .standard
        trigger = ExecutionTrigger(type: try row.string("trigger_type"), detail: try row.string("trigger_detail"))
        started = try row.date("started")
        updated = try row.date("updated")
        attempt = try row.int("attempt")
        stopReason = try row.optionalString("stop_reason")
        variables = try JSONText.decode(try row.string("variables_json"))
        overrides = try JSONText.decode(try row.string("overrides_json"))
        revisions = try JSONText.decode(try row.string("revisions_json"))
        rollbackTarget = try row.optionalString("rollback_target")
    }

    func insert(_ transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO pipeline_executions (\(Self.columns))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, id, pipeline, number, version, status.rawValue, summary, mode.rawValue, kind.rawValue, trigger.type,
            trigger.detail, started, updated, attempt, stopReason, try JSONText.encode(variables),
            try JSONText.encode(overrides), try JSONText.encode(revisions), rollbackTarget)
    }

    /// Writes back everything that changes in the life of an execution.
    func update(_ transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE pipeline_executions SET status = ?, summary = ?, updated = ?, attempt = ?, stop_reason = ?,
                revisions_json = ? WHERE id = ?
            """, status.rawValue, summary, updated, attempt, stopReason, try JSONText.encode(revisions), id)
    }

    static func find(_ transaction: Transaction, id: String, pipeline: String) throws -> ExecutionRow? {
        try transaction.row(
            "SELECT \(columns) FROM pipeline_executions WHERE id = ? AND pipeline = ?", id, pipeline
        ).map(ExecutionRow.init)
    }

    func view(pipelineName: String) -> ExecutionSummary {
        ExecutionSummary(
            pipelineName: pipelineName, pipelineVersion: version, id: id, number: number, status: status,
            statusSummary: summary, startTime: started, lastUpdateTime: updated, revisions: revisions,
            variables: variables, trigger: trigger, stopReason: stopReason, mode: mode, kind: kind,
            rollbackTarget: rollbackTarget, attempt: attempt)
    }
}
