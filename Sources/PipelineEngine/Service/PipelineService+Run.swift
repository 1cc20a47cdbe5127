import Catalog
import Foundation
import Logging
import PipelineModel
import Synchronization

/// The driver's loops.
extension PipelineService {
    /// Takes up what an earlier process left, then runs jobs, polls sources and keeps time limits until the task is
    /// cancelled. Jobs that run then are cancelled and given back, to be taken up by the next run. Call it once.
    public func run() async throws {
        try await resume()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.dispatch() }
            group.addTask { await self.every(self.configuration.tickSeconds) { try await self.tick() } }
            group.addTask { await self.every(self.configuration.pollSeconds) { try await self.pollSources() } }
        }
    }

    /// Finds the work that is recorded but not under way.
    func resume() async throws {
        if configuration.isSoleOwner {
            let owner = owner
            _ = try await catalog.write { transaction in
                // Jobs of custom actions are held by their workers, wherever they are.
                try transaction.execute(
                    """
                    UPDATE pipeline_jobs SET state = 'Queued', owner = NULL, lease = NULL
                    WHERE state = 'InProgress' AND owner IS NOT NULL AND owner <> ?
                    """, owner)
            }
        }
        try await queueForgottenJobs()
        try await queueForgottenChecks()
    }

    /// Jobs that nobody holds.
    private func queueForgottenJobs() async throws {
        let now = environment.now()
        let runnable = Set(context.runnable.map(\.description))
        let jobs = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT id, type FROM pipeline_jobs
                WHERE (state = 'Queued' OR (state = 'InProgress' AND lease < ?)) AND type NOT LIKE 'Custom/%'
                ORDER BY created LIMIT 1000
                """, now
            ).compactMap { row in runnable.contains(try row.string("type")) ? try row.string("id") : nil }
        }
        for job in jobs { queue.add(job: job) }
    }

    /// Conditions that wait for a check.
    private func queueForgottenChecks() async throws {
        let tickets = try await catalog.read { transaction in
            var tickets: [CheckTicket] = []
            for row in try transaction.rows("SELECT DISTINCT pipeline FROM pipeline_rules WHERE status = 'InProgress'")
            {
                guard let pipeline = try PipelineRow.find(transaction, id: try row.string("pipeline")) else { continue }
                for run in try pipeline.machine(transaction).runs.values {
                    guard let passage = run.passage, let check = passage.check else { continue }
                    tickets.append(
                        CheckTicket(
                            pipeline: pipeline.id, execution: run.id, stage: passage.stage, hook: check.hook,
                            serial: check.serial))
                }
            }
            return tickets
        }
        for ticket in tickets { queue.add(check: ticket) }
    }

    /// Does what the queue brings, so much at a time.
    private func dispatch() async {
        let slots = Slots(configuration.jobsMax)
        await withDiscardingTaskGroup { group in
            for await item in queue.items {
                if isKilled { break }
                switch item {
                case .job(let id):
                    group.addTask {
                        // Taken here, not in the loop: conditions need no slot and must not wait behind builds.
                        await slots.take()
                        await self.supervise(id)
                        self.queue.done(item)
                        await slots.give()
                    }
                case .check(let ticket):
                    group.addTask {
                        await self.check(ticket)
                        self.queue.done(item)
                    }
                }
            }
        }
    }

    /// Runs a job in a task that can be cancelled alone, when its action is abandoned.
    private func supervise(_ id: String) async {
        if Task.isCancelled { return }
        // Unstructured for that reason; this function waits for it and hands cancellation on.
        let task = Task { await self.runJob(id) }
        running.withLock { $0[id] = task }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        running.withLock { _ = $0.removeValue(forKey: id) }
    }

    /// Calls `body` now and then; what it throws is logged and tried again the next time.
    private func every(_ seconds: Double, _ body: @Sendable () async throws -> Void) async {
        while !Task.isCancelled, !isKilled {
            do {
                try await body()
            } catch {
                if !Task.isCancelled, !isKilled { logger.error("pipelines", metadata: ["error": "\(error)"]) }
            }
            do { try await environment.sleep(.seconds(seconds)) } catch { return }
        }
    }

    /// Ends actions that are out of time and finds forgotten work.
    func tick() async throws {
        let now = environment.now()
        let due = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT \(ActionRow.columns) FROM pipeline_actions
                WHERE status = 'InProgress' AND expires <= ? ORDER BY expires LIMIT 100
                """, now
            ).map(ActionRow.init)
        }
        for action in due {
            _ = try await transact(id: action.pipeline) { ledger in
                guard var row = try ActionRow.find(ledger.transaction, id: action.id), row.status == .inProgress,
                    let expires = row.expires, expires <= ledger.time
                else { return }
                try ledger.endJobs(of: row.id, state: "TimedOut")
                let minutes = Int(expires.timeIntervalSince(row.started) / 60)
                try ledger.endAction(
                    &row, .failed,
                    error: ErrorDetails(
                        code: ActionFailure.Code.timedOut.rawValue,
                        message: row.approval != nil
                            ? "The approval was not answered within \(minutes) minutes"
                            : "The action did not end within \(minutes) minutes"))
                try ledger.drain()
            }
        }
        try await requeueUnacknowledged()
        try await queueForgottenJobs()
        try await queueForgottenChecks()
        try await forgetHistory()
    }

    /// Removes executions that started more than a year ago and are over, with everything recorded of them. Versions of
    /// artifacts are the store's to keep or not.
    func forgetHistory() async throws {
        let horizon = environment.now().addingTimeInterval(-Double(configuration.historyDays) * 86400)
        let old = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT id, pipeline FROM pipeline_executions
                WHERE started < ? AND status NOT IN ('InProgress', 'Stopping') LIMIT 100
                """, horizon
            ).map { (id: try $0.string("id"), pipeline: try $0.string("pipeline")) }
        }
        for (id, pipeline) in old {
            _ = try await transact(id: pipeline) { ledger in
                let transaction = ledger.transaction
                for table in ["outputs", "jobs"] {
                    try transaction.execute(
                        """
                        DELETE FROM pipeline_\(table) WHERE action_execution IN (
                            SELECT id FROM pipeline_actions WHERE execution = ?)
                        """, id)
                }
                for table in ["actions", "passages", "rules", "execution_keys"] {
                    try transaction.execute("DELETE FROM pipeline_\(table) WHERE execution = ?", id)
                }
                try transaction.execute("DELETE FROM pipeline_executions WHERE id = ?", id)
            }
        }
    }

    /// Checks a condition and records what was found.
    func check(_ ticket: CheckTicket) async {
        do {
            let found = try await catalog.read { transaction -> (rules: [RuleDeclaration], ExecutionProducts)? in
                guard let row = try PipelineRow.find(transaction, id: ticket.pipeline),
                    let execution = try ExecutionRow.find(transaction, id: ticket.execution, pipeline: row.id)
                else { return nil }
                let stage = try row.declaration(transaction, version: execution.version).stage(ticket.stage)
                return (
                    stage?.condition(ticket.hook)?.rules ?? [], try ExecutionProducts(of: execution, transaction)
                )
            }
            guard let (rules, products) = found else { return }
            var outcomes: [String: RuleOutcome] = [:]
            for rule in rules { outcomes[rule.name] = VariableCheck.evaluate(rule, products.value) }
            try step("after check")
            let results = outcomes
            _ = try await transact(id: ticket.pipeline) { try $0.finishCheck(ticket, results) }
        } catch {
            if isKilled { return }
            logger.error("condition could not be checked", metadata: ["error": "\(error)"])
        }
    }
}

extension StageDeclaration {
    /// The condition at a place around the stage.
    func condition(_ hook: ConditionHook) -> ConditionDeclaration? {
        switch hook {
        case .beforeEntry: beforeEntry?.conditions.first
        case .onSuccess: onSuccess?.conditions.first
        case .onFailure: onFailure?.conditions?.first
        }
    }
}
