import ArtifactStore
import Catalog
import Foundation
import PipelineModel

/// What is kept of one run of an action beside the columns that queries need.
struct ActionRecord: Sendable, Codable {
    var executionNumber: Int
    var version: Int
    var type: ActionTypeID
    var configuration: [String: String]
    var resolvedConfiguration: [String: String]
    var commands: [String] = []
    var outputVariableNames: [String] = []
    var environment: [EnvironmentVariable] = []
    var inputs: [JobArtifact] = []
    var outputFiles: [String: [String]] = [:]
    var roleARN: String?
    var region: String
    var keyID: String?
    var namespace: String?
    var revisionOverrides: [SourceRevisionOverride] = []
    var startedBy: String
    var progress = ActionProgress()
    var error: ErrorDetails?
    var variables: [String: String] = [:]
    var revision: SourceRevision?
    var updatedBy: String?
    /// Secret keys of the configuration, whose values are masked in views and sealed in the record.
    var secretKeys: [String] = []
}

/// A row of `pipeline_actions`.
struct ActionRow: Sendable {
    var id: String
    var pipeline: String
    var execution: String
    var stage: String
    var action: String
    var serial: Int64
    var attempt: Int
    var status: ActionStatus
    var started: Date
    var updated: Date
    var expires: Date?
    var approval: String?
    var record: ActionRecord

    static let columns =
        "id, pipeline, execution, stage, action, serial, attempt, status, started, updated, expires, approval, record_json"

    init(_ row: Row) throws {
        id = try row.string("id")
        pipeline = try row.string("pipeline")
        execution = try row.string("execution")
        stage = try row.string("stage")
        action = try row.string("action")
        serial = try row.int64("serial")
        attempt = try row.int("attempt")
        status = ActionStatus(rawValue: try row.string("status")) ?? .failed
        started = try row.date("started")
        updated = try row.date("updated")
        expires = try row.optionalDate("expires")
        approval = try row.optionalString("approval")
        record = try JSONText.decode(try row.string("record_json"))
    }

    init(
        id: String, pipeline: String, execution: String, stage: String, action: String, serial: Int64, attempt: Int,
        started: Date, record: ActionRecord
    ) {
        self.id = id
        self.pipeline = pipeline
        self.execution = execution
        self.stage = stage
        self.action = action
        self.serial = serial
        self.attempt = attempt
        status = .inProgress
        self.started = started
        updated = started
        self.record = record
    }

    func insert(_ transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO pipeline_actions (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, id, pipeline, execution, stage, action, serial, attempt, status.rawValue, started, updated, expires,
            approval, try JSONText.encode(record))
    }

    func update(_ transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE pipeline_actions SET status = ?, updated = ?, expires = ?, approval = ?, record_json = ? WHERE id = ?",
            status.rawValue, updated, expires, approval, try JSONText.encode(record), id)
    }

    static func find(_ transaction: Transaction, id: String) throws -> ActionRow? {
        try transaction.row("SELECT \(columns) FROM pipeline_actions WHERE id = ?", id).map(ActionRow.init)
    }

    /// Runs of actions of one execution, oldest first.
    static func of(execution: String, _ transaction: Transaction) throws -> [ActionRow] {
        try transaction.rows(
            "SELECT \(columns) FROM pipeline_actions WHERE execution = ? ORDER BY serial", execution
        ).map(ActionRow.init)
    }
}

/// A row of `pipeline_outputs`.
struct OutputRow: Sendable {
    var name: String
    var bucket: String
    var objectKey: String
    var version: VersionID?

    static func of(actionExecution: String, _ transaction: Transaction) throws -> [OutputRow] {
        try transaction.rows(
            """
            SELECT name, bucket, object_key, version FROM pipeline_outputs WHERE action_execution = ? ORDER BY position
            """, actionExecution
        ).map { row in
            OutputRow(
                name: try row.string("name"), bucket: try row.string("bucket"),
                objectKey: try row.string("object_key"),
                version: try row.optionalString("version").flatMap { VersionID($0) })
        }
    }
}
