import Catalog
import Foundation
import KeyHierarchy
import PipelineModel

/// What is left to do when a transaction has been committed. Everything here can be found again in the catalogue: after
/// a crash it is done on the next start.
struct Aftermath: Sendable {
    /// Jobs for this process to run.
    var launches: [String] = []
    /// Jobs nobody waits for any more.
    var cancellations: [String] = []
    /// Conditions to check.
    var checks: [CheckTicket] = []
    /// Pipelines in which something changed.
    var changed: Set<String> = []

    mutating func merge(_ other: Aftermath) {
        launches += other.launches
        cancellations += other.cancellations
        checks += other.checks
        changed.formUnion(other.changed)
    }
}

/// A condition to check.
struct CheckTicket: Sendable, Hashable {
    var pipeline: String
    var execution: String
    var stage: String
    var hook: ConditionHook
    var serial: Int64
}

/// What every transaction of the engine needs.
struct LedgerContext: Sendable {
    var environment: EngineEnvironment
    var configuration: EngineConfiguration
    /// Types for which this server has a runner.
    var runnable: Set<ActionTypeID>
}

/// One pipeline inside one transaction: applies events to its machine and turns effects into rows.
///
/// Everything an event causes is written in the transaction of the event; what has to happen outside is collected in
/// `aftermath`.
final class Ledger {
    let transaction: Transaction
    let context: LedgerContext
    let time: Date
    var row: PipelineRow
    private(set) var machine: PipelineMachine
    private var isMachineChanged = false
    var aftermath = Aftermath()
    private var declarations: [Int: PipelineDeclaration] = [:]
    private var followUps: [MachineEvent] = []
    private var types: ActionTypeCatalogue?

    /// Opens a pipeline that exists.
    init(_ row: PipelineRow, _ transaction: Transaction, _ context: LedgerContext) throws {
        self.row = row
        self.transaction = transaction
        self.context = context
        time = context.environment.now()
        machine = try row.machine(transaction)
    }

    /// Makes a new pipeline.
    init(
        creating declaration: PipelineDeclaration, in scope: AccountRegion, _ transaction: Transaction,
        _ context: LedgerContext
    ) throws {
        self.transaction = transaction
        self.context = context
        time = context.environment.now()
        row = PipelineRow(id: context.environment.makeID(), scope: scope, declaration: declaration, now: time)
        machine = PipelineMachine(version: 1, mode: declaration.mode)
        try transaction.execute(
            """
            INSERT INTO pipeline_pipelines (\(PipelineRow.columns), state_json)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, row.id, scope.account, scope.region, row.name, row.version, row.type.rawValue, row.mode.rawValue,
            row.created, row.updated, SQLValue.null, row.revision, row.sequence, try JSONText.encode(machine))
        try insertVersion(declaration)
        try record(.pipeline, "CREATED")
    }

    // MARK: Definition

    private func insertVersion(_ declaration: PipelineDeclaration) throws {
        var stored = declaration
        stored.version = row.version
        try transaction.execute(
            "INSERT INTO pipeline_versions (pipeline, version, created, declaration_json) VALUES (?, ?, ?, ?)", row.id,
            row.version, time, try JSONText.encode(stored))
        declarations[row.version] = stored
    }

    func declaration(_ version: Int? = nil) throws -> PipelineDeclaration {
        let wanted = version ?? row.version
        if let known = declarations[wanted] { return known }
        let loaded = try row.declaration(transaction, version: wanted)
        declarations[wanted] = loaded
        return loaded
    }

    /// The definition is replaced by its next version.
    func update(_ declaration: PipelineDeclaration) throws {
        row.version += 1
        row.type = declaration.pipelineType ?? .v1
        row.mode = declaration.mode
        row.updated = time
        row.pollingDisabled = nil
        try insertVersion(declaration)
        try transaction.execute(
            """
            UPDATE pipeline_pipelines SET version = ?, type = ?, mode = ?, updated = ?, polling_disabled = NULL
            WHERE id = ?
            """, row.version, row.type.rawValue, row.mode.rawValue, time, row.id)
        try record(.pipeline, "UPDATED")
        try apply(.update(version: row.version))
    }

    /// The types that actions in this account and region may have.
    func actionTypes() throws -> ActionTypeCatalogue {
        if let types { return types }
        let loaded = try CustomActionTypes.catalogue(transaction, row.scope)
        types = loaded
        return loaded
    }

    // MARK: Events

    /// Applies an event and everything that follows from it at once.
    func apply(_ event: MachineEvent) throws {
        followUps.append(event)
        try drain()
    }

    /// Adds an event that follows from what was done; `drain` or `apply` take it up.
    func follow(_ event: MachineEvent) { followUps.append(event) }

    /// Applies the events that were added by `follow`, and what follows from them.
    func drain() throws {
        while !followUps.isEmpty {
            let event = followUps.removeFirst()
            var versions = Set(machine.runs.values.map(\.version))
            versions.formUnion([machine.version, row.version])
            var plans: [Int: PipelinePlan] = [:]
            for version in versions { plans[version] = PipelinePlan(try declaration(version), version: version) }
            var next = machine
            let found = plans
            let effects = try next.apply(event, at: time) { found[$0] }
            machine = next
            isMachineChanged = true
            for effect in effects { try perform(effect) }
        }
    }

    /// Writes the machine back.
    func save() throws {
        row.revision += 1
        try transaction.execute(
            "UPDATE pipeline_pipelines SET revision = ?, sequence = ? WHERE id = ?", row.revision, row.sequence, row.id)
        if isMachineChanged {
            try transaction.execute(
                "UPDATE pipeline_pipelines SET state_json = ? WHERE id = ?", try JSONText.encode(machine), row.id)
        }
        aftermath.changed.insert(row.id)
    }

    /// Notes a change for those who watch.
    func record(
        _ subject: PipelineChange.Subject, _ state: String, execution: ExecutionRow? = nil, stage: String? = nil,
        action: String? = nil, actionExecution: String? = nil, message: String? = nil
    ) throws {
        row.sequence += 1
        let change = PipelineChange(
            sequence: row.sequence, time: time, subject: subject, state: state,
            pipelineVersion: execution?.version ?? row.version, executionID: execution?.id,
            executionNumber: execution?.number, attempt: execution?.attempt, stage: stage, action: action,
            actionExecutionID: actionExecution, message: message)
        try transaction.execute(
            "INSERT INTO pipeline_changes (pipeline, sequence, change_json) VALUES (?, ?, ?)", row.id, row.sequence,
            try JSONText.encode(change))
        if row.sequence % 1000 == 0 {
            try transaction.execute(
                "DELETE FROM pipeline_changes WHERE pipeline = ? AND sequence <= ?", row.id,
                row.sequence - Self.changesKept)
        }
    }

    /// How many changes of a pipeline can be watched after the event.
    private static let changesKept: Int64 = 100_000

    func execution(_ id: String) throws -> ExecutionRow {
        guard let found = try ExecutionRow.find(transaction, id: id, pipeline: row.id) else {
            throw PipelineError(
                .executionNotFound, "The pipeline '\(row.name)' has no execution with the id '\(id)'")
        }
        return found
    }

    /// The next running number of the pipeline's name.
    func takeNumber() throws -> Int {
        let taken = try transaction.row(
            """
            INSERT INTO pipeline_numbers (account, region, name, latest) VALUES (?, ?, ?, 1)
            ON CONFLICT (account, region, name) DO UPDATE SET latest = pipeline_numbers.latest + 1 RETURNING latest
            """, row.scope.account, row.scope.region, row.name)
        return try taken?.int("latest") ?? 1
    }
}
