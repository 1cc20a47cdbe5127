import Catalog
import Foundation
public import KeyHierarchy
public import PipelineModel

/// Definitions: create, get, update, delete, list.
extension PipelineService {
    /// Creates a pipeline and starts its first execution.
    ///
    /// - Returns: the normalised declaration, secrets masked, with its tags.
    /// - Throws: `PipelineError`: PipelineNameInUseException, the structural errors, LimitExceededException, tag errors.
    public func createPipeline(
        _ declaration: PipelineDeclaration, tags: [String: String] = [:], in scope: AccountRegion, caller: String
    ) async throws -> PipelineRecord {
        try Tags.validate(tags)
        let catalogue = try await catalog.read { try CustomActionTypes.catalogue($0, scope) }
        let valid = try declaration.validated(in: validationContext(scope, catalogue, previous: nil))
        let stored = try await seal(valid, previous: nil, scope, catalogue)
        let limit = configuration.pipelinesMax
        return try await write { transaction, context in
            if try PipelineRow.find(transaction, name: stored.name, scope: scope) != nil {
                throw PipelineError(
                    .pipelineNameInUse,
                    "A pipeline with name '\(stored.name)' already exists in account "
                        + "'\(scope.account)', region \(scope.region)")
            }
            let count = try transaction.row(
                "SELECT COUNT(*) AS total FROM pipeline_pipelines WHERE account = ? AND region = ?", scope.account,
                scope.region)
            if try count?.int("total") ?? 0 >= limit {
                throw PipelineError(.limitExceeded, "At most \(limit) pipelines are allowed in one region")
            }
            let ledger = try Ledger(creating: stored, in: scope, transaction, context)
            try Tags.set(tags, on: ledger.row.arn, transaction)
            _ = try ledger.start(
                StartRequest(trigger: ExecutionTrigger(type: "CreatePipeline", detail: caller), isAutomatic: true))
            try ledger.save()
            return (try Self.recordView(ledger.row, transaction, catalogue), ledger.aftermath)
        }
    }

    /// Replaces a definition. Executions that run outside PARALLEL mode end as Cancelled; none is started.
    ///
    /// - Throws: `PipelineError`: PipelineNotFoundException, the structural errors.
    public func updatePipeline(
        _ declaration: PipelineDeclaration, in scope: AccountRegion, caller: String
    ) async throws -> PipelineRecord {
        // Sealing secrets happens outside of the transaction: try again when somebody else updated in between.
        for _ in 0..<5 {
            let name = declaration.name
            try declaration.validateShape()
            let (catalogue, version, previous) = try await catalog.read { transaction in
                let row = try PipelineRow.get(transaction, name: name, scope: scope)
                return (
                    try CustomActionTypes.catalogue(transaction, scope), row.version, try row.declaration(transaction)
                )
            }
            let valid = try declaration.validated(in: validationContext(scope, catalogue, previous: previous))
            let stored = try await seal(valid, previous: previous, scope, catalogue)
            let updated = try await transact(name, scope) { ledger -> PipelineRecord? in
                guard ledger.row.version == version else { return nil }
                try ledger.update(stored)
                return try Self.recordView(ledger.row, ledger.transaction, catalogue)
            }
            if let updated { return updated }
        }
        throw PipelineError(
            .concurrentModification, "The pipeline '\(declaration.name)' is being updated by others; try again")
    }

    /// The current or an older version of a definition.
    ///
    /// - Throws: PipelineNotFoundException, PipelineVersionNotFoundException.
    public func getPipeline(
        _ name: String, version: Int? = nil, in scope: AccountRegion
    ) async throws -> PipelineRecord {
        try await catalog.read { transaction in
            let row = try PipelineRow.get(transaction, name: name, scope: scope)
            return try Self.recordView(
                row, transaction, try CustomActionTypes.catalogue(transaction, scope), version: version)
        }
    }

    /// Removes a pipeline with its history. Succeeds for a name that does not exist. Versions of artifacts stay in the
    /// store.
    public func deletePipeline(_ name: String, in scope: AccountRegion) async throws {
        try await write { transaction, _ in
            var aftermath = Aftermath()
            guard let row = try PipelineRow.find(transaction, name: name, scope: scope) else { return ((), aftermath) }
            aftermath.cancellations = try transaction.rows(
                "SELECT id FROM pipeline_jobs WHERE pipeline = ? AND state = 'InProgress'", row.id
            ).map { try $0.string("id") }
            for table in [
                "versions", "executions", "passages", "actions", "outputs", "jobs", "changes", "start_tokens",
                "sources", "rules", "execution_keys",
            ] {
                try transaction.execute("DELETE FROM pipeline_\(table) WHERE pipeline = ?", row.id)
            }
            try transaction.execute("DELETE FROM pipeline_tags WHERE resource = ?", row.arn)
            try transaction.execute("DELETE FROM pipeline_pipelines WHERE id = ?", row.id)
            aftermath.changed = [row.id]
            return ((), aftermath)
        }
    }

    /// Pipelines by name.
    ///
    /// - Throws: InvalidNextTokenException.
    public func listPipelines(
        in scope: AccountRegion, limit: Int? = nil, nextToken: String? = nil
    ) async throws -> Page<PipelineSummary> {
        let size = min(limit ?? 1000, 1000)
        let binding = "ListPipelines|\(scope.account)|\(scope.region)"
        let after = try PagingToken.open(nextToken, binding) ?? ""
        let rows = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT \(PipelineRow.columns) FROM pipeline_pipelines
                WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?
                """, scope.account, scope.region, after, size + 1
            ).map(PipelineRow.init)
        }
        return PagingToken.page(rows, size, binding) { $0.name }.map { $0.summary() }
    }

    // MARK: Parts

    func validationContext(
        _ scope: AccountRegion, _ catalogue: ActionTypeCatalogue, previous: PipelineDeclaration?
    ) -> ValidationContext {
        ValidationContext(region: scope.region, actionTypes: catalogue, previous: previous)
    }

    static func recordView(
        _ row: PipelineRow, _ transaction: Transaction, _ catalogue: ActionTypeCatalogue, version: Int? = nil
    ) throws -> PipelineRecord {
        PipelineRecord(
            declaration: try row.declaration(transaction, version: version).masked(catalogue: catalogue), arn: row.arn,
            created: row.created, updated: row.updated, pollingDisabledAt: row.pollingDisabled,
            tags: try Tags.of(row.arn, transaction))
    }
}

/// Secret values at rest.
extension PipelineService {
    private static let sealedPrefix = "sealed:"

    private func sealingName(_ scope: AccountRegion, _ pipeline: String) -> String {
        "pipeline-secret/\(scope.account)/\(scope.region)/\(pipeline)"
    }

    /// The declaration with secret values sealed; values kept from the stored declaration are sealed already.
    func seal(
        _ declaration: PipelineDeclaration, previous: PipelineDeclaration?, _ scope: AccountRegion,
        _ catalogue: ActionTypeCatalogue
    ) async throws -> PipelineDeclaration {
        guard let secrets else { return declaration }
        var result = declaration
        for stage in declaration.stages.indices {
            for index in declaration.stages[stage].actions.indices {
                let action = declaration.stages[stage].actions[index]
                guard let keys = catalogue[action.actionTypeId]?.secretKeys, !keys.isEmpty else { continue }
                let stored = previous?.action(action.name, in: declaration.stages[stage].name)?.configuration
                for key in keys {
                    guard let value = action.configuration?[key] else { continue }
                    if value.hasPrefix(Self.sealedPrefix), stored?[key] == value { continue }
                    let sealed = try await secrets.seal([UInt8](value.utf8), sealingName(scope, declaration.name))
                    result.stages[stage].actions[index].configuration?[key] =
                        Self.sealedPrefix + Data(sealed).base64EncodedString()
                }
            }
        }
        return result
    }

    /// A resolved configuration with secret values in clear, for a worker.
    func open(
        _ configuration: [String: String], secretKeys: [String], _ scope: AccountRegion, _ pipeline: String
    ) async throws -> [String: String] {
        guard let secrets else { return configuration }
        var result = configuration
        for key in secretKeys {
            guard let value = configuration[key], value.hasPrefix(Self.sealedPrefix),
                let sealed = Data(base64Encoded: String(value.dropFirst(Self.sealedPrefix.count)))
            else { continue }
            result[key] = String(
                decoding: try await secrets.open([UInt8](sealed), sealingName(scope, pipeline)), as: UTF8.self)
        }
        return result
    }
}
