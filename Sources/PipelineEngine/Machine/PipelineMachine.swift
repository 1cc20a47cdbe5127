import Foundation
import PipelineModel

/// Looks up the plan of a version; versions are never changed, so this is as good as being part of the state.
typealias PlanLookup = (Int) -> PipelinePlan?

extension PipelineMachine {
    /// Applies one event.
    ///
    /// - Throws: the refusal of a request. The machine must then be thrown away: work on a copy.
    mutating func apply(_ event: MachineEvent, at time: Date, plans: @escaping PlanLookup) throws(PipelineError)
        -> [MachineEffect]
    {
        now = max(now, time)
        var step = Step(machine: self, plans: plans)
        switch event {
        case .start(let id, let number):
            try step.start(id: id, number: number)
        case .startRollback(let id, let number, let stage, let isAutomatic):
            try step.startRollback(id: id, number: number, stage: stage, isAutomatic: isAutomatic)
        case .noRollback(let stage):
            step.machine.lanes[stage]?.isAwaitingRollback = false
            step.admit(stage)
        case .actionEnded(let execution, let serial, let succeeded):
            step.actionEnded(execution, serial, succeeded)
        case .conditionEnded(let execution, let serial, let met):
            step.conditionEnded(execution, serial, met)
        case .stop(let execution, let abandon, let reason):
            try step.stop(execution, abandon, reason)
        case .retry(let execution, let stage, let mode):
            try step.retry(execution, stage, mode)
        case .override(let execution, let stage, let hook):
            try step.overrideCondition(execution, stage, hook)
        case .setTransition(let stage, let type, let enabled, let reason, let by):
            try step.setTransition(stage, type, enabled, reason, by)
        case .update(let version):
            try step.update(version)
        }
        step.prune()
        self = step.machine
        return step.effects
    }

    /// The executions that run or wait.
    var liveCount: Int { runs.values.count { $0.status.isLive } }
}

/// One event under way: the machine being changed and the effects so far.
struct Step {
    var machine: PipelineMachine
    let plans: PlanLookup
    var effects: [MachineEffect] = []

    init(machine: PipelineMachine, plans: @escaping PlanLookup) {
        self.machine = machine
        self.plans = plans
    }

    // MARK: Starting

    mutating func start(id: String, number: Int) throws(PipelineError) {
        guard let plan = plans(machine.version), let first = plan.stages.first else { return }
        try checkCapacity()
        machine.runs[id] = .init(
            id: id, number: number, version: machine.version, mode: machine.mode, kind: .standard)
        effects.append(.execution(id: id, .started, summary: nil))
        arrive(id, at: first.name)
    }

    func checkCapacity() throws(PipelineError) {
        guard machine.mode != .superseded, machine.liveCount >= PipelineMachine.liveLimit else { return }
        throw PipelineError(
            .executionsLimit,
            "The pipeline has \(machine.liveCount) live executions; at most \(PipelineMachine.liveLimit) are allowed in "
                + "the execution mode \(machine.mode)")
    }

    mutating func startRollback(id: String, number: Int, stage: String, isAutomatic: Bool) throws(PipelineError) {
        guard let plan = plans(machine.version), let index = plan.index(of: stage) else {
            throw PipelineError(.stageNotFound, "The pipeline has no stage '\(stage)'")
        }
        guard index > 0 else { throw PipelineError(.unableToRollback, "The source stage cannot be rolled back") }
        guard machine.mode != .parallel else {
            throw PipelineError(.unableToRollback, "Stages cannot be rolled back in the execution mode PARALLEL")
        }
        machine.lanes[stage, default: .init()].isAwaitingRollback = false
        guard machine.lanes[stage]?.lock == nil else {
            throw PipelineError(
                .unableToRollback, "The stage '\(stage)' is running; it can be rolled back when it has ended")
        }
        machine.runs[id] = .init(id: id, number: number, version: machine.version, mode: machine.mode, kind: .rollback)
        effects.append(.execution(id: id, .started, summary: nil))
        enter(id, stage)
    }

    // MARK: In front of a stage

    /// An execution stands in front of a stage: enters, waits, or takes the place of an older one that waits.
    mutating func arrive(_ id: String, at stage: String) {
        guard let run = machine.runs[id] else { return }
        if run.mode == .parallel { return enter(id, stage) }
        var lane = machine.lanes[stage, default: .init()]
        if lane.lock == nil, lane.waiting.isEmpty, !lane.isAwaitingRollback, !isHeld(stage) {
            return enter(id, stage)
        }
        machine.runs[id]?.waitsFor = stage
        lane.waiting.append(id)
        var displaced: [String] = []
        if machine.mode == .superseded {
            // The newest keeps the one place, whichever came last.
            lane.waiting.sort { (machine.runs[$0]?.number ?? 0) < (machine.runs[$1]?.number ?? 0) }
            displaced = lane.waiting.dropLast()
            lane.waiting = lane.waiting.suffix(1)
        }
        machine.lanes[stage] = lane
        for old in displaced {
            end(old, .superseded, .superseded, "Superseded in front of stage '\(stage)' by a newer execution")
        }
    }

    /// Whether the way into a stage is closed, on its own inbound side or on the outbound side of the stage before.
    func isHeld(_ stage: String) -> Bool {
        if machine.lanes[stage]?.inbound != nil { return true }
        guard let before = stageBefore(stage) else { return false }
        return machine.lanes[before]?.outbound != nil
    }

    func stageBefore(_ stage: String) -> String? {
        guard let plan = plans(machine.version), let index = plan.index(of: stage), index > 0 else { return nil }
        return plan.stages[index - 1].name
    }

    /// Lets the first execution that waits enter, if the stage is free.
    mutating func admit(_ stage: String) {
        guard var lane = machine.lanes[stage], lane.lock == nil, !lane.isAwaitingRollback, !isHeld(stage),
            let head = lane.waiting.first
        else { return }
        lane.waiting.removeFirst()
        machine.lanes[stage] = lane
        enter(head, stage)
    }

    // MARK: Inside a stage

    mutating func enter(_ id: String, _ stage: String) {
        guard let run = machine.runs[id], let plan = plans(run.version)?.stage(stage) else { return }
        machine.runs[id]?.waitsFor = nil
        machine.runs[id]?.passage = .init(
            stage: stage,
            actions: plan.actions.map { .init(name: $0.name, order: $0.order, isApproval: $0.isApproval) })
        if run.mode != .parallel {
            machine.lanes[stage, default: .init()].lock = id
            machine.lanes[stage]?.latest = .init(id: id, number: run.number, kind: run.kind, status: .inProgress)
        }
        effects.append(.stage(id: id, stage: stage, .started))
        begin(id)
    }

    /// Goes on from the beginning of a passage: entry conditions first.
    mutating func begin(_ id: String) {
        guard let passage = machine.runs[id]?.passage else { return }
        if !passage.hasEntered, condition(.beforeEntry, of: id) != nil { return check(.beforeEntry, id) }
        machine.runs[id]?.passage?.hasEntered = true
        startActions(id)
    }

    /// Starts what may start of the lowest group that is not done; ends the stage when all groups are.
    mutating func startActions(_ id: String) {
        guard let run = machine.runs[id], let passage = run.passage else { return }
        guard let group = passage.actions.filter({ $0.status != .succeeded }).map(\.order).min() else {
            if condition(.onSuccess, of: id) != nil { return check(.onSuccess, id) }
            return finishStage(id, .succeeded, .succeeded)
        }
        var running = passage.actions.count { $0.status == .inProgress }
        for index in passage.actions.indices {
            let action = passage.actions[index]
            guard action.order == group, action.status == nil else { continue }
            if run.mode == .parallel, running >= PipelineMachine.parallelActionLimit { break }
            let serial = takeSerial()
            machine.runs[id]?.passage?.actions[index].status = .inProgress
            machine.runs[id]?.passage?.actions[index].serial = serial
            effects.append(.startAction(id: id, stage: passage.stage, action: action.name, serial: serial))
            running += 1
        }
    }

    mutating func takeSerial() -> Int64 {
        defer { machine.nextSerial += 1 }
        return machine.nextSerial
    }

    mutating func actionEnded(_ id: String, _ serial: Int64, _ succeeded: Bool) {
        guard let passage = machine.runs[id]?.passage,
            let index = passage.actions.firstIndex(where: { $0.serial == serial && $0.status == .inProgress })
        else { return }  // Abandoned meanwhile, or told twice.
        machine.runs[id]?.passage?.actions[index].status = succeeded ? .succeeded : .failed
        settle(id)
    }

    /// Decides what follows when an action ended.
    mutating func settle(_ id: String) {
        guard let run = machine.runs[id], run.status.isLive, let passage = run.passage else { return }
        if run.status == .stopping {
            if !passage.isRunning { endInside(id, .stopped, .stopped, .stopped, run.stopReason) }
        } else if run.isCancelling {
            if !passage.isRunning { cancelInside(id) }
        } else if passage.hasFailed {
            if !passage.isRunning { stageFailed(id) }
        } else {
            startActions(id)
        }
    }

    /// Leaves a stage for the next one, or ends the execution.
    mutating func finishStage(_ id: String, _ status: StageStatus, _ word: MachineStep) {
        guard let run = machine.runs[id], let passage = run.passage, let plan = plans(run.version) else { return }
        let stage = passage.stage
        setStage(id, status)
        effects.append(.stage(id: id, stage: stage, word))
        release(id, stage)
        if run.kind == .standard, let index = plan.index(of: stage), index + 1 < plan.stages.count {
            arrive(id, at: plan.stages[index + 1].name)
        } else {
            end(id, .succeeded, .succeeded, nil)
        }
        admit(stage)
    }

    // MARK: Ends

    /// Ends an execution inside a stage, together with the stage.
    mutating func endInside(
        _ id: String, _ status: ExecutionStatus, _ stageStatus: StageStatus, _ word: MachineStep, _ summary: String?,
        rollsBack: Bool = false
    ) {
        guard let stage = machine.runs[id]?.passage?.stage else { return }
        setStage(id, stageStatus)
        effects.append(.stage(id: id, stage: stage, word))
        end(id, status, word, summary)
        release(id, stage)
        if rollsBack, machine.lanes[stage] != nil {
            machine.lanes[stage]?.isAwaitingRollback = true
            effects.append(.rollBack(stage: stage, failed: id))
        } else {
            admit(stage)
        }
    }

    mutating func cancelInside(_ id: String) {
        endInside(id, .cancelled, .cancelled, .cancelled, "Cancelled because the pipeline was updated")
    }

    mutating func end(_ id: String, _ status: ExecutionStatus, _ word: MachineStep, _ summary: String?) {
        machine.runs[id]?.status = status
        machine.runs[id]?.waitsFor = nil
        effects.append(.execution(id: id, word, summary: summary))
    }

    mutating func release(_ id: String, _ stage: String) {
        if machine.lanes[stage]?.lock == id { machine.lanes[stage]?.lock = nil }
    }

    /// Sets the status of a passage, and of the lane's view of it.
    mutating func setStage(_ id: String, _ status: StageStatus) {
        machine.runs[id]?.passage?.status = status
        guard let passage = machine.runs[id]?.passage, machine.lanes[passage.stage]?.latest?.id == id else { return }
        machine.lanes[passage.stage]?.latest?.status = status
        machine.lanes[passage.stage]?.latest?.automaticRetries = passage.automaticRetries
        machine.lanes[passage.stage]?.latest?.manualRetries = passage.manualRetries
        machine.lanes[passage.stage]?.latest?.retriedAutomaticallyLast = passage.retriedAutomaticallyLast
    }

    /// Forgets executions that are over and cannot be retried.
    mutating func prune() {
        let latest = Set(machine.lanes.values.compactMap { $0.latest?.id })
        let newest = machine.runs.values.filter { $0.mode == .parallel && !$0.status.isLive }
            .sorted { $0.number > $1.number }.prefix(PipelineMachine.parallelRetryable).map(\.id)
        let kept = Set(newest)
        machine.runs = machine.runs.filter { id, run in
            if run.status.isLive { return true }
            guard run.status == .failed || run.status == .stopped, run.passage != nil else { return false }
            return run.mode == .parallel ? kept.contains(id) : latest.contains(id)
        }
    }
}
