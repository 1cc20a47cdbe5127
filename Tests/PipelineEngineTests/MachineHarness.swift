import Foundation
import PipelineModel
import Testing

@testable import PipelineEngine

/// Drives a machine and checks after every event what must always hold.
struct MachineHarness {
    var machine: PipelineMachine
    var plans: [Int: PipelinePlan]
    var time = Date(timeIntervalSince1970: 1_000_000)
    /// Effects of all events so far, in order.
    var log: [MachineEffect] = []
    /// Actions that were started and have not ended, by serial.
    var open: [Int64: (execution: String, stage: String, action: String)] = [:]
    /// Checks that were asked for and not answered.
    var checks: [Int64: String] = [:]
    /// Rollbacks that were asked for and not answered.
    var rollbacks: [(stage: String, failed: String)] = []
    /// Statuses by execution, as the effects tell them.
    var statuses: [String: MachineStep] = [:]
    var numbers: [String: Int] = [:]
    private var versions: [String: Int] = [:]
    private var ended: Set<Int64> = []

    init(_ plan: PipelinePlan) {
        machine = PipelineMachine(version: plan.version, mode: plan.mode)
        plans = [plan.version: plan]
    }

    @discardableResult
    mutating func apply(_ event: MachineEvent) throws(PipelineError) -> [MachineEffect] {
        time += 1
        let known = plans
        var next = machine
        let effects = try next.apply(event, at: time) { known[$0] }
        machine = next
        for effect in effects { note(effect) }
        log += effects
        checkInvariants()
        return effects
    }

    private mutating func note(_ effect: MachineEffect) {
        switch effect {
        case .execution(let id, let step, _):
            if step == .resumed {
                #expect(
                    [.failed, .stopped, .started, .resumed].contains(statuses[id]),
                    "only what failed or was stopped comes back")
            } else if let old = statuses[id] {
                #expect([.started, .resumed, .stopping].contains(old), "\(id) was over as \(old), now \(step)")
            }
            statuses[id] = step
            if step == .started { versions[id] = machine.version }
        case .startAction(let id, let stage, let action, let serial):
            #expect(open[serial] == nil && !ended.contains(serial), "an action starts once")
            open[serial] = (id, stage, action)
        case .abandonAction(_, _, _, let serial):
            #expect(open.removeValue(forKey: serial) != nil, "only running actions are abandoned")
            ended.insert(serial)
        case .check(let id, _, _, let serial):
            checks[serial] = id
        case .rollBack(let stage, let failed):
            rollbacks.append((stage, failed))
        default: break
        }
    }

    /// Ends an action that is open.
    mutating func end(_ serial: Int64, succeeded: Bool = true) throws {
        let execution = try #require(open[serial]?.execution)
        open[serial] = nil
        ended.insert(serial)
        try apply(.actionEnded(execution: execution, serial: serial, succeeded: succeeded))
    }

    /// Ends the open action of this name.
    mutating func end(_ action: String, of execution: String, succeeded: Bool = true) throws {
        let found = open.first { $0.value.action == action && $0.value.execution == execution }
        let serial = try #require(found?.key, "\(action) of \(execution) is not running")
        try end(serial, succeeded: succeeded)
    }

    mutating func start(_ id: String) throws {
        let number = numbers.count + 1
        numbers[id] = number
        try apply(.start(id: id, number: number))
    }

    /// The invariants of the scheduler.
    func checkInvariants() {
        var held: [String: String] = [:]
        for (name, lane) in machine.lanes {
            if let lock = lane.lock {
                #expect(held[lock] == nil, "\(lock) holds two stages")
                held[lock] = name
                #expect(machine.runs[lock]?.status.isLive == true, "a stage is held by an execution that is over")
                #expect(machine.runs[lock]?.passage?.stage == name)
            }
            if machine.mode == .superseded { #expect(lane.waiting.count <= 1) }
            for id in lane.waiting {
                #expect(machine.runs[id]?.waitsFor == name)
                #expect(machine.runs[id]?.status == .inProgress)
            }
            #expect(Set(lane.waiting).count == lane.waiting.count)
        }
        for (id, run) in machine.runs {
            if let version = versions[id] { #expect(run.version == version, "an execution keeps its version") }
            if run.status.isLive, run.mode != .parallel {
                #expect((run.waitsFor != nil) != (held[id] != nil), "\(id) neither waits nor holds a stage, or both")
            }
            guard let passage = run.passage else { continue }
            for action in passage.actions {
                let isOpen = open[action.serial] != nil
                #expect(
                    (action.status == .inProgress) == isOpen,
                    "\(action.name) of \(id): \(String(describing: action.status))")
            }
            let started = passage.actions.filter { $0.status == .inProgress }.map(\.order)
            let undone = passage.actions.filter { $0.status != .succeeded }.map(\.order).min()
            #expect(started.allSatisfy { $0 == undone }, "groups run one after the other")
            if run.mode == .parallel { #expect(started.count <= PipelineMachine.parallelActionLimit) }
            if !run.status.isLive { #expect(!passage.isRunning, "nothing runs in an execution that is over") }
        }
        // A stage that is free and open lets somebody in.
        if let plan = plans[machine.version] {
            for (index, stage) in plan.stages.enumerated() {
                guard let lane = machine.lanes[stage.name], lane.lock == nil, !lane.waiting.isEmpty else { continue }
                let isHeld =
                    lane.inbound != nil || (index > 0 && machine.lanes[plan.stages[index - 1].name]?.outbound != nil)
                #expect(isHeld || lane.isAwaitingRollback, "\(stage.name) is free and open, but somebody waits")
            }
        }
    }
}

extension PipelinePlan {
    /// A plan from words: stages separated by blanks, each `name:action,action|action` with groups separated by `|`; an
    /// action whose name ends in `?` is an approval.
    init(_ text: String, mode: ExecutionMode = .superseded, version: Int = 1) {
        let stages = text.split(separator: " ").map { word -> Stage in
            let parts = word.split(separator: ":")
            let groups = parts[1].split(separator: "|")
            let actions = groups.enumerated().flatMap { index, group in
                group.split(separator: ",").map { name in
                    Action(name: String(name), order: index + 1, isApproval: name.hasSuffix("?"))
                }
            }
            return Stage(name: String(parts[0]), actions: actions)
        }
        self.init(version: version, mode: mode, stages: stages)
    }

    func changing(_ stage: String, _ change: (inout Stage) -> Void) -> PipelinePlan {
        var copy = self
        for index in copy.stages.indices where copy.stages[index].name == stage { change(&copy.stages[index]) }
        return copy
    }
}
