import Catalog
import Foundation
import KeyHierarchy
import PipelineModel

/// A row of `pipeline_pipelines`, without its state.
struct PipelineRow: Sendable {
    var id: String
    var scope: AccountRegion
    var name: String
    var version: Int
    var type: PipelineType
    var mode: ExecutionMode
    var created: Date
    var updated: Date
    var pollingDisabled: Date?
    var revision: Int64
    var sequence: Int64

    static let columns =
        "id, account, region, name, version, type, mode, created, updated, polling_disabled, revision, sequence"

    init(_ row: Row) throws {
        id = try row.string("id")
        scope = AccountRegion(account: try row.string("account"), region: try row.string("region"))
        name = try row.string("name")
        version = try row.int("version")
        type = PipelineType(rawValue: try row.string("type"))
        mode = ExecutionMode(rawValue: try row.string("mode"))
        created = try row.date("created")
        updated = try row.date("updated")
        pollingDisabled = try row.optionalDate("polling_disabled")
        revision = try row.int64("revision")
        sequence = try row.int64("sequence")
    }

    init(id: String, scope: AccountRegion, declaration: PipelineDeclaration, now: Date) {
        self.id = id
        self.scope = scope
        name = declaration.name
        version = 1
        type = declaration.pipelineType ?? .v1
        mode = declaration.mode
        created = now
        updated = now
        revision = 0
        sequence = 0
    }

    var arn: String { "arn:aws:codepipeline:\(scope.region):\(scope.account):\(name)" }

    static func find(_ transaction: Transaction, name: String, scope: AccountRegion) throws -> PipelineRow? {
        try transaction.row(
            "SELECT \(columns) FROM pipeline_pipelines WHERE account = ? AND region = ? AND name = ?", scope.account,
            scope.region, name
        ).map(PipelineRow.init)
    }

    static func find(_ transaction: Transaction, id: String) throws -> PipelineRow? {
        try transaction.row("SELECT \(columns) FROM pipeline_pipelines WHERE id = ?", id).map(PipelineRow.init)
    }

    /// The pipeline of this name.
    ///
    /// - Throws: PipelineNotFoundException.
    static func get(_ transaction: Transaction, name: String, scope: AccountRegion) throws -> PipelineRow {
        guard let row = try find(transaction, name: name, scope: scope) else {
            throw PipelineError(
                .pipelineNotFound,
                "Account '\(scope.account)' does not have a pipeline with name '\(name)'")
        }
        return row
    }

    func declaration(_ transaction: Transaction, version: Int? = nil) throws -> PipelineDeclaration {
        let wanted = version ?? self.version
        guard
            let row = try transaction.row(
                "SELECT declaration_json FROM pipeline_versions WHERE pipeline = ? AND version = ?", id, wanted)
        else {
            throw PipelineError(.pipelineVersionNotFound, "Pipeline '\(name)' has no version \(wanted)")
        }
        return try JSONText.decode(try row.string("declaration_json"))
    }

    func machine(_ transaction: Transaction) throws -> PipelineMachine {
        guard let row = try transaction.row("SELECT state_json FROM pipeline_pipelines WHERE id = ?", id) else {
            throw PipelineError(.pipelineNotFound, "The pipeline '\(name)' was deleted")
        }
        return try JSONText.decode(try row.string("state_json"))
    }

    func summary() -> PipelineSummary {
        PipelineSummary(name: name, version: version, type: type, mode: mode, created: created, updated: updated)
    }
}
