public import ArtifactStore
public import Catalog
import Foundation
public import KeyHierarchy
public import Logging
public import ObjectStorage
import PipelineModel
import Synchronization

/// Pipelines that survive anything: every request and every result of a job is one event, applied to the pipeline's
/// state machine and written with all that follows from it in one transaction. What remains to be done afterwards can be
/// found again in the catalogue, so a process that stops at any instant loses nothing that was acknowledged.
///
/// Safe to use from any task. Jobs run, sources are polled and time limits are kept only while `run` does.
public final class PipelineService: Sendable {
    let catalog: Catalog
    let store: ArtifactStore
    let objects: ObjectStorage
    let runners: [ActionTypeID: any ActionRunner]
    let pollers: [ActionTypeID: any SourcePoller]
    let secrets: SecretSealing?
    let context: LedgerContext
    let logger: Logger
    /// Names this process as the holder of jobs.
    let owner: String
    let queue = WorkQueue()
    let hub = ChangeHub()
    /// Jobs that run in this process.
    let running = Mutex<[String: Task<Void, Never>]>([:])
    private let killed = Mutex(false)

    /// An engine over a catalogue that has the tables of `PipelineSchema`.
    ///
    /// - Parameter secrets: seals secret configuration values; without it they are stored as given.
    public init(
        catalog: Catalog, store: ArtifactStore, objects: ObjectStorage, runners: [any ActionRunner],
        pollers: [any SourcePoller], secrets: SecretSealing? = nil,
        configuration: EngineConfiguration = EngineConfiguration(),
        environment: EngineEnvironment = EngineEnvironment(), logger: Logger = Logger(label: "coffer.pipelines")
    ) {
        self.catalog = catalog
        self.store = store
        self.objects = objects
        var runnersByType: [ActionTypeID: any ActionRunner] = [:]
        for runner in runners { for type in runner.types { runnersByType[type] = runner } }
        self.runners = runnersByType
        var pollersByType: [ActionTypeID: any SourcePoller] = [:]
        for poller in pollers { for type in poller.types { pollersByType[type] = poller } }
        self.pollers = pollersByType
        self.secrets = secrets
        context = LedgerContext(
            environment: environment, configuration: configuration,
            runnable: Set(runnersByType.keys).union([PipelineInvocation.type]))
        self.logger = logger
        owner = environment.makeID()
    }

    var configuration: EngineConfiguration { context.configuration }
    var environment: EngineEnvironment { context.environment }

    /// The ARN of a pipeline.
    public static func arn(_ name: String, in scope: AccountRegion) -> String {
        "arn:aws:codepipeline:\(scope.region):\(scope.account):\(name)"
    }

    // MARK: Transactions

    /// Runs `body` on a pipeline in one transaction, then does what follows from it.
    func transact<T: Sendable>(
        _ name: String, _ scope: AccountRegion, _ body: @Sendable @escaping (Ledger) throws -> T
    ) async throws -> T {
        try await write { transaction, context in
            let ledger = try Ledger(PipelineRow.get(transaction, name: name, scope: scope), transaction, context)
            let value = try body(ledger)
            try ledger.save()
            return (value, ledger.aftermath)
        }
    }

    /// The same for a pipeline's id; nil when it was deleted meanwhile.
    func transact<T: Sendable>(
        id: String, _ body: @Sendable @escaping (Ledger) throws -> T
    ) async throws -> T? {
        try await write { transaction, context in
            guard let row = try PipelineRow.find(transaction, id: id) else { return (nil, Aftermath()) }
            let ledger = try Ledger(row, transaction, context)
            let value = try body(ledger)
            try ledger.save()
            return (value, ledger.aftermath)
        }
    }

    /// Runs a transaction, then does what follows from it.
    func write<T: Sendable>(
        _ body: @Sendable @escaping (Transaction, LedgerContext) throws -> (T, Aftermath)
    ) async throws -> T {
        try step("before transaction")
        let context = context
        let (value, aftermath) = try await catalog.write { try body($0, context) }
        try step("after transaction")
        settle(aftermath)
        return value
    }

    private func settle(_ aftermath: Aftermath) {
        for job in aftermath.launches { queue.add(job: job) }
        for ticket in aftermath.checks { queue.add(check: ticket) }
        let tasks = running.withLock { running in aftermath.cancellations.compactMap { running[$0] } }
        for task in tasks { task.cancel() }
        if !aftermath.changed.isEmpty { hub.changed(aftermath.changed) }
    }

    /// A named point between two steps, at which tests may kill the driver.
    func step(_ name: String) throws {
        if killed.withLock({ $0 }) { throw DriverKilled() }
        do {
            try environment.fault(name)
        } catch {
            killed.withLock { $0 = true }
            throw DriverKilled()
        }
    }

    var isKilled: Bool { killed.withLock { $0 } }
}
