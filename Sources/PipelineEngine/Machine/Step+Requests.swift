import Foundation
import PipelineModel

/// What people ask for: stop, retry, transitions, updates.
extension Step {
    mutating func stop(_ id: String, _ abandon: Bool, _ reason: String?) throws(PipelineError) {
        guard let run = machine.runs[id], run.status.isLive else {
            throw PipelineError(.executionNotStoppable, "The execution is over and cannot be stopped")
        }
        if run.status == .stopping {
            guard abandon, !run.isAbandoning else {
                throw PipelineError(
                    .duplicatedStop,
                    "The execution is being stopped already"
                        + (run.isAbandoning ? "" : "; ask to abandon to stop it without waiting"))
            }
        }
        machine.runs[id]?.stopReason = reason ?? run.stopReason
        if let stage = run.waitsFor {
            machine.lanes[stage]?.waiting.removeAll { $0 == id }
            return end(id, .stopped, .stopped, reason)
        }
        if run.status != .stopping {
            machine.runs[id]?.status = .stopping
            effects.append(.execution(id: id, .stopping, summary: reason))
            if let stage = run.passage?.stage {
                setStage(id, .stopping)
                effects.append(.stage(id: id, stage: stage, .stopping))
            }
        }
        endCheck(id, .abandoned)
        if abandon {
            machine.runs[id]?.isAbandoning = true
            abandonActions(id) { _ in true }
        }
        settle(id)
    }

    mutating func abandonActions(_ id: String, where matches: (PipelineMachine.ActionState) -> Bool) {
        guard let passage = machine.runs[id]?.passage else { return }
        for index in passage.actions.indices {
            let action = passage.actions[index]
            guard action.status == .inProgress, matches(action) else { continue }
            machine.runs[id]?.passage?.actions[index].status = .abandoned
            effects.append(
                .abandonAction(id: id, stage: passage.stage, action: action.name, serial: action.serial))
        }
    }

    mutating func retry(_ id: String, _ stage: String, _ mode: RetryMode) throws(PipelineError) {
        guard plans(machine.version)?.index(of: stage) != nil else {
            throw PipelineError(.stageNotFound, "The pipeline has no stage '\(stage)'")
        }
        guard let run = machine.runs[id] else {
            if machine.lanes[stage]?.latest?.id == id {
                throw PipelineError(
                    .stageNotRetryable, "The stage '\(stage)' cannot be retried: the execution is over")
            }
            throw PipelineError(
                .notLatestExecution, "The execution is not the latest one in the stage '\(stage)', or is over")
        }
        guard run.mode == .parallel || machine.lanes[stage]?.latest?.id == id else {
            throw PipelineError(.notLatestExecution, "The execution is not the latest one in the stage '\(stage)'")
        }
        func refuse(_ why: String) -> PipelineError {
            PipelineError(.stageNotRetryable, "The stage '\(stage)' cannot be retried: \(why)")
        }
        guard let passage = run.passage, passage.stage == stage else {
            throw refuse("the execution has left it or never entered it")
        }
        guard run.version == machine.version else { throw refuse("the pipeline was updated since") }
        switch run.status {
        case .failed, .stopped:
            guard passage.status == .failed || passage.status == .stopped else {
                throw refuse("it is \(passage.status.rawValue)")
            }
            try checkCapacity()
        case .inProgress where passage.hasFailed && passage.check == nil:
            guard mode == .failedActions else {
                throw refuse("actions are in progress; FAILED_ACTIONS can be retried meanwhile")
            }
        case .inProgress where passage.manualRetries + passage.automaticRetries > 0:
            throw PipelineError(.conflict, "The stage '\(stage)' is being retried already")
        default:
            throw refuse("it is \(passage.status.rawValue)")
        }
        machine.runs[id]?.passage?.manualRetries += 1
        machine.runs[id]?.passage?.retriedAutomaticallyLast = false
        resume(id, mode)
    }

    mutating func setTransition(
        _ stage: String, _ type: TransitionType, _ enabled: Bool, _ reason: String, _ by: String
    ) throws(PipelineError) {
        guard let plan = plans(machine.version), let index = plan.index(of: stage) else {
            throw PipelineError(.stageNotFound, "The pipeline has no stage '\(stage)'")
        }
        var lane = machine.lanes[stage, default: .init()]
        let old = type == .inbound ? lane.inbound : lane.outbound
        let hold = enabled ? nil : PipelineMachine.Hold(reason: reason, by: by, since: old?.since ?? machine.now)
        let enabling = enabled && old != nil ? PipelineMachine.Enabling(by: by, at: machine.now) : nil
        switch type {
        case .inbound:
            lane.inbound = hold
            lane.inboundEnabled = enabling ?? lane.inboundEnabled
        case .outbound:
            lane.outbound = hold
            lane.outboundEnabled = enabling ?? lane.outboundEnabled
        }
        machine.lanes[stage] = lane
        if (old == nil) != enabled || old?.reason != hold?.reason {
            effects.append(.transition(stage: stage, type: type, enabled: enabled))
        }
        guard enabled, let old else { return }
        let behind = type == .inbound ? stage : (index + 1 < plan.stages.count ? plan.stages[index + 1].name : nil)
        guard let behind else { return }
        if machine.now.timeIntervalSince(old.since) > Double(PipelineMachine.holdDays) * 86400 {
            expire(behind)
        }
        admit(behind)
    }

    /// A hold of more than thirty days: what waited behind it does not go on.
    private mutating func expire(_ stage: String) {
        for id in machine.lanes[stage]?.waiting ?? [] {
            end(
                id, .cancelled, .cancelled,
                "Cancelled because the transition into stage '\(stage)' was disabled for more than "
                    + "\(PipelineMachine.holdDays) days")
        }
        machine.lanes[stage]?.waiting = []
    }

    /// The definition was replaced. Executions outside PARALLEL mode end: those that wait at once, those inside a stage
    /// when what runs has ended. An open approval ends at once, as nobody but a person works on it.
    mutating func update(_ version: Int) throws(PipelineError) {
        guard let plan = plans(version) else { return }
        let affected = machine.runs.values.filter { $0.status.isLive && $0.mode != .parallel }
            .sorted { $0.number < $1.number }
        for stage in machine.lanes.keys { machine.lanes[stage]?.waiting = [] }
        for run in affected where run.waitsFor != nil {
            end(run.id, .cancelled, .cancelled, "Cancelled because the pipeline was updated")
        }
        for run in affected where run.waitsFor == nil && run.status == .inProgress {
            machine.runs[run.id]?.isCancelling = true
            endCheck(run.id, .cancelled)
            abandonActions(run.id) { $0.isApproval }
            settle(run.id)
        }
        let wasShared = machine.mode != .parallel
        machine.version = version
        machine.mode = plan.mode
        for stage in machine.lanes.keys {
            if wasShared, plan.mode == .parallel { machine.lanes[stage]?.latest = nil }
            if plan.index(of: stage) == nil, machine.lanes[stage]?.lock == nil { machine.lanes[stage] = nil }
        }
        // What failed or was stopped under the old definition can no longer be retried.
        machine.runs = machine.runs.filter { $0.value.status.isLive }
    }
}
