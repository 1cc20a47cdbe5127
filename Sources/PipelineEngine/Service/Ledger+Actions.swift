import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import PipelineModel

/// What earlier actions left for later ones of the same execution.
struct ExecutionProducts: Sendable {
    /// By namespace, then key.
    var variables: [String: [String: String]] = [:]
    /// By artifact name.
    var artifacts: [String: JobArtifact] = [:]

    func value(_ reference: VariableReference) -> String? { variables[reference.namespace]?[reference.key] }

    /// Variables and artifacts that an execution has so far. A rollback starts from those of its target.
    init(of execution: ExecutionRow, _ transaction: Transaction) throws {
        for id in [execution.rollbackTarget, execution.id].compactMap({ $0 }) {
            for action in try ActionRow.of(execution: id, transaction) where action.status == .succeeded {
                if let namespace = action.record.namespace { variables[namespace] = action.record.variables }
                for output in try OutputRow.of(actionExecution: action.id, transaction) {
                    guard let version = output.version else { continue }
                    artifacts[output.name] = JobArtifact(
                        name: output.name, version: version, bucket: output.bucket, objectKey: output.objectKey)
                }
            }
        }
        variables[VariableReference.reservedNamespace] = ["PipelineExecutionId": execution.id]
        if !execution.variables.isEmpty {
            variables[VariableReference.pipelineNamespace] = Dictionary(
                execution.variables.map { ($0.name, $0.resolvedValue) }, uniquingKeysWith: { first, _ in first })
        }
    }
}

/// Starting actions: everything a job needs is decided here, in the transaction that starts it.
extension Ledger {
    /// The key of an artifact store: of an alias, the key that it meant when the execution's first action started.
    private func pinnedKey(_ name: String?, of execution: String) throws -> String? {
        guard let name, name.contains("alias/") else { return name }
        let known = try transaction.row(
            "SELECT key_arn FROM pipeline_execution_keys WHERE execution = ? AND name = ?", execution, name)
        if let known { return try known.string("key_arn") }
        let key = try context.environment.keyARN(name, row.scope, transaction)
        // An alias that does not exist yet is looked for again by the next action.
        guard key != name else { return name }
        try transaction.execute(
            "INSERT INTO pipeline_execution_keys (execution, pipeline, name, key_arn) VALUES (?, ?, ?, ?)", execution,
            row.id, name, key)
        return key
    }

    func startAction(_ id: String, _ stage: String, _ name: String, _ serial: Int64) throws {
        let execution = try execution(id)
        let pipeline = try declaration(execution.version)
        guard let declared = pipeline.action(name, in: stage) else { return }
        let region = declared.region ?? row.scope.region
        let store = pipeline.store(forRegion: region)
        var record = ActionRecord(
            executionNumber: execution.number, version: execution.version, type: declared.actionTypeId,
            configuration: declared.configuration ?? [:], resolvedConfiguration: declared.configuration ?? [:],
            region: region, startedBy: execution.trigger.detail)
        record.roleARN = declared.roleArn ?? pipeline.roleArn
        record.keyID = try pinnedKey(store?.encryptionKey?.id, of: id)
        record.namespace = declared.namespace
        record.outputVariableNames = declared.outputVariables ?? []
        record.revisionOverrides = execution.overrides.filter { $0.actionName == name }
        record.secretKeys = (try actionTypes()[declared.actionTypeId]?.secretKeys ?? []).sorted()
        for output in declared.outputArtifacts ?? [] { record.outputFiles[output.name] = output.files ?? [] }
        let failure = try fillIn(&record, declared, execution)
        var action = ActionRow(
            id: context.environment.makeID(), pipeline: row.id, execution: id, stage: stage, action: name,
            serial: serial, attempt: execution.attempt, started: time, record: record)
        if declared.actionTypeId == .manualApproval {
            openApproval(&action, declared)
        } else {
            action.expires = time.addingTimeInterval(ActionLimits.seconds(declared.actionTypeId))
        }
        try action.insert(transaction)
        try insertOutputs(declared, action, bucket: store?.location ?? "")
        try self.record(
            .action, "STARTED", execution: execution, stage: stage, action: name, actionExecution: action.id)
        if let failure {
            try endAction(&action, .failed, error: ErrorDetails(code: failure.code.rawValue, message: failure.message))
        } else if declared.actionTypeId != .manualApproval {
            try insertJob(for: action, continuation: nil)
        }
    }

    /// Resolves references and inputs. Returns why the action cannot start, if so.
    private func fillIn(
        _ record: inout ActionRecord, _ declared: ActionDeclaration, _ execution: ExecutionRow
    ) throws -> ActionFailure? {
        let products = try ExecutionProducts(of: execution, transaction)
        do {
            try resolve(&record, declared, products)
        } catch {
            return ActionFailure(
                .configuration,
                "InvalidVariableReference: \(error.reference) has no value: no earlier action of this execution set it")
        }
        let total = record.resolvedConfiguration.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard total <= 100 * 1024 else {
            return ActionFailure(
                .configuration, "The resolved configuration has \(total) bytes; at most 102400 are allowed")
        }
        for input in declared.inputArtifacts ?? [] {
            guard let artifact = products.artifacts[input.name] else {
                return ActionFailure(
                    .configuration,
                    "The input artifact '\(input.name)' does not exist: the action that declares it has not "
                        + "produced it in this execution")
            }
            record.inputs.append(artifact)
        }
        let type = declared.actionTypeId
        guard type == .manualApproval || type.owner == .custom || context.runnable.contains(type) else {
            let known = context.runnable.map { "\($0.category)/\($0.provider)" }.sorted().joined(separator: ", ")
            return ActionFailure(
                .configuration,
                "This server has no runner for \(type.category) actions of the provider \(type.provider). Available "
                    + "are \(known.isEmpty ? "" : known + ", ")manual approvals and custom actions")
        }
        return nil
    }

    private func resolve(
        _ record: inout ActionRecord, _ declared: ActionDeclaration, _ products: ExecutionProducts
    ) throws(UnresolvedVariable) {
        for (key, value) in declared.configuration ?? [:] where !record.secretKeys.contains(key) {
            record.resolvedConfiguration[key] = try VariableText.resolve(value, products.value)
        }
        for command in declared.commands ?? [] {
            record.commands.append(try VariableText.resolve(command, products.value))
        }
        for variable in declared.environmentVariables ?? [] {
            var resolved = variable
            resolved.value = try VariableText.resolve(variable.value, products.value)
            record.environment.append(resolved)
        }
    }

    private func openApproval(_ action: inout ActionRow, _ declared: ActionDeclaration) {
        let minutes = declared.timeoutInMinutes ?? context.configuration.approvalMinutes
        let token = context.environment.makeID()
        action.approval = token
        action.expires = time.addingTimeInterval(Double(minutes) * 60)
        action.record.progress.externalExecutionID = token
        action.record.progress.summary = action.record.resolvedConfiguration["CustomData"]
    }

    private func insertOutputs(_ declared: ActionDeclaration, _ action: ActionRow, bucket: String) throws {
        let suffix = declared.actionTypeId.category == .source ? ".zip" : ""
        for (position, output) in (declared.outputArtifacts ?? []).enumerated() {
            let random = context.environment.makeKeySuffix()
            let key = "\(row.name.prefix(20))/\(output.name.prefix(10))/\(random)\(suffix)"
            try transaction.execute(
                """
                INSERT INTO pipeline_outputs (action_execution, name, position, pipeline, bucket, object_key, version)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, action.id, output.name, position, row.id, bucket, key, SQLValue.null)
        }
    }

    /// Queues a job: for a runner of this server, or for a custom action's workers.
    func insertJob(for action: ActionRow, continuation: String?) throws {
        let type = action.record.type
        let id = context.environment.makeID()
        let queryable = try actionTypes()[type]?.properties.first { $0.queryable == true }?.name
        try transaction.execute(
            """
            INSERT INTO pipeline_jobs (id, pipeline, action_execution, type, state, token, query, continuation, created)
            VALUES (?, ?, ?, ?, 'Queued', 0, ?, ?, ?)
            """, id, row.id, action.id, type.description,
            queryable.flatMap { action.record.resolvedConfiguration[$0] }, continuation, time)
        if context.runnable.contains(type) { aftermath.launches.append(id) }
    }

    /// Ends an action's run and adds the event for the machine, which `drain` takes up.
    func endAction(_ action: inout ActionRow, _ status: ActionStatus, error: ErrorDetails? = nil) throws {
        action.status = status
        action.updated = max(action.updated, time)
        action.expires = nil
        action.record.error = error
        try action.update(transaction)
        var execution = try execution(action.execution)
        if status == .succeeded, action.record.type.category == .source, let revision = action.record.revision {
            try recordRevision(revision, action, &execution)
        }
        try record(
            .action, status == .succeeded ? "SUCCEEDED" : "FAILED", execution: execution, stage: action.stage,
            action: action.action, actionExecution: action.id, message: error?.message ?? action.record.progress.summary
        )
        follow(.actionEnded(execution: action.execution, serial: action.serial, succeeded: status == .succeeded))
    }

    private func recordRevision(
        _ revision: SourceRevision, _ action: ActionRow, _ execution: inout ExecutionRow
    ) throws {
        let artifact = try OutputRow.of(actionExecution: action.id, transaction).first?.name
        execution.revisions.removeAll { $0.actionName == action.action }
        execution.revisions.append(
            ExecutionRevision(actionName: action.action, artifactName: artifact, revision: revision))
        try execution.update(transaction)
        // An execution of an older revision on request says nothing about what is newest.
        if action.record.revisionOverrides.isEmpty { try noteSource(action.action, revision.id) }
    }

    /// Remembers the newest revision seen of a source, against which polling compares.
    func noteSource(_ action: String, _ revision: String) throws {
        try transaction.execute(
            """
            INSERT INTO pipeline_sources (pipeline, action, revision, checked) VALUES (?, ?, ?, ?)
            ON CONFLICT (pipeline, action) DO UPDATE SET revision = excluded.revision, checked = excluded.checked
            """, row.id, action, revision, time)
    }
}

/// How long actions may take.
enum ActionLimits {
    /// The limit of a type, in seconds, after the quotas of the CodePipeline user guide.
    static func seconds(_ type: ActionTypeID) -> Double {
        let hour = 3600.0
        if type.owner == .custom { return 24 * hour }
        switch (type.category, type.provider) {
        case (_, "CodeBuild"): return 36 * hour
        case (.test, _): return 8 * hour
        case (.deploy, "CloudFormation"): return 72 * hour
        case (.deploy, "CodeDeploy"), (.deploy, "CodeDeployToECS"): return 120 * hour
        case (.deploy, "S3"): return 1.5 * hour
        case (.invoke, "Lambda"): return 24 * hour
        case (.invoke, "StepFunctions"): return 168 * hour
        default: return hour
        }
    }
}
