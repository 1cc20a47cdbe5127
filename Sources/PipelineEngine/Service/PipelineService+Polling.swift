import Catalog
import Foundation
public import KeyHierarchy
import Logging
public import PipelineModel

/// Polling of sources.
extension PipelineService {
    /// A source of a pipeline that is polled.
    private struct PolledSource: Sendable {
        var pipeline: PipelineRow
        var action: ActionDeclaration
    }

    /// Asks every polled source once and starts executions for what is new.
    func pollSources() async throws {
        try await poll { _, _ in true }
    }

    /// A hint that a source changed: pipelines whose source actions of this type have all of these configuration values
    /// are polled at once instead of at the next turn. Nothing is lost when nobody calls it.
    public func sourceChanged(
        _ type: ActionTypeID, matching configuration: [String: String], in scope: AccountRegion
    ) async throws {
        try await poll { row, action in
            row.scope == scope && action.actionTypeId == type
                && configuration.allSatisfy { action.configuration?[$0.key] == $0.value }
        }
    }

    private func poll(
        _ isWanted: @Sendable @escaping (PipelineRow, ActionDeclaration) -> Bool
    ) async throws {
        let types = Set(pollers.keys)
        guard !types.isEmpty else { return }
        let sources = try await catalog.read { transaction in
            var sources: [PolledSource] = []
            for row in try transaction.rows(
                "SELECT \(PipelineRow.columns) FROM pipeline_pipelines WHERE polling_disabled IS NULL ORDER BY id"
            ).map(PipelineRow.init) {
                for action in try row.declaration(transaction).stages.first?.actions ?? []
                where types.contains(action.actionTypeId) && action.isPolled && isWanted(row, action) {
                    sources.append(PolledSource(pipeline: row, action: action))
                }
            }
            return sources
        }
        for source in sources {
            try Task.checkCancellation()
            do {
                try await poll(source)
            } catch let error where !(error is CancellationError) && !isKilled {
                // One source that does not answer must not keep the others from being asked.
                logger.debug(
                    "source could not be polled",
                    metadata: [
                        "pipeline": "\(source.pipeline.name)", "action": "\(source.action.name)", "error": "\(error)",
                    ])
            }
        }
    }

    private func poll(_ source: PolledSource) async throws {
        guard let poller = pollers[source.action.actionTypeId] else { return }
        let found = try await poller.currentRevision(
            configuration: source.action.configuration ?? [:], scope: source.pipeline.scope,
            pipeline: source.pipeline.name)
        guard let found else { return }
        let name = source.action.name
        let id = source.pipeline.id
        let known = try await catalog.read {
            try $0.row("SELECT revision FROM pipeline_sources WHERE pipeline = ? AND action = ?", id, name)?
                .string("revision")
        }
        if known == found.id { return }
        _ = try await transact(id: id) { ledger in
            let known = try ledger.transaction.row(
                "SELECT revision FROM pipeline_sources WHERE pipeline = ? AND action = ?", id, name)
            if try known?.string("revision") == found.id { return }
            // An execution whose source action runs right now will find the revision itself; look again afterwards.
            if try ledger.isFetching(name) { return }
            try ledger.disablePollingIfUnused()
            guard ledger.row.pollingDisabled == nil else { return }
            let started = try ledger.start(
                StartRequest(
                    trigger: ExecutionTrigger(type: "PollForSourceChanges", detail: name), isAutomatic: true))
            if started != nil { try ledger.noteSource(name, found.id) }
        }
    }
}

extension Ledger {
    /// Whether an execution is about to take, or is taking, the newest revision of a source.
    func isFetching(_ action: String) throws -> Bool {
        guard let first = try declaration().stages.first?.name else { return false }
        return machine.runs.values.contains { run in
            guard run.status == .inProgress else { return false }
            if run.waitsFor == first { return true }
            guard let passage = run.passage, passage.stage == first, run.waitsFor == nil else { return false }
            return passage.actions.contains { $0.name == action && ($0.status == nil || $0.status == .inProgress) }
        }
    }

    /// Ends polling for a pipeline that had no execution for thirty days.
    func disablePollingIfUnused() throws {
        let latest = try transaction.row(
            "SELECT MAX(started) AS latest FROM pipeline_executions WHERE pipeline = ?", row.id)
        let since = try latest?.optionalDate("latest") ?? row.updated
        guard time.timeIntervalSince(max(since, row.updated)) > 30 * 86400 else { return }
        row.pollingDisabled = time
        try transaction.execute("UPDATE pipeline_pipelines SET polling_disabled = ? WHERE id = ?", time, row.id)
    }
}

extension ActionDeclaration {
    /// Whether a source action asks to be polled: unless it says otherwise.
    var isPolled: Bool {
        actionTypeId.category == .source
            && (configuration?["PollForSourceChanges"] ?? configuration?["DetectChanges"])?.lowercased() != "false"
    }
}
