import PipelineModel

/// Failure and conditions.
extension Step {
    func plan(of id: String) -> PipelinePlan.Stage? {
        guard let run = machine.runs[id], let passage = run.passage else { return nil }
        return plans(run.version)?.stage(passage.stage)
    }

    func condition(_ hook: ConditionHook, of id: String) -> ConditionResult? { plan(of: id)?.conditions[hook] }

    mutating func check(_ hook: ConditionHook, _ id: String) {
        guard let stage = machine.runs[id]?.passage?.stage else { return }
        let serial = takeSerial()
        machine.runs[id]?.passage?.check = .init(hook: hook, serial: serial)
        effects.append(.check(id: id, stage: stage, hook: hook, serial: serial))
    }

    /// Drops a check under way.
    mutating func endCheck(_ id: String, _ status: ConditionStatus) {
        guard let passage = machine.runs[id]?.passage, let check = passage.check else { return }
        machine.runs[id]?.passage?.check = nil
        effects.append(.endCheck(id: id, stage: passage.stage, hook: check.hook, status))
    }

    mutating func conditionEnded(_ id: String, _ serial: Int64, _ met: Bool) {
        guard let run = machine.runs[id], run.status == .inProgress, let passage = run.passage,
            let check = passage.check, check.serial == serial
        else { return }
        machine.runs[id]?.passage?.check = nil
        let result = condition(check.hook, of: id)
        switch check.hook {
        case .beforeEntry:
            if met {
                machine.runs[id]?.passage?.hasEntered = true
                startActions(id)
            } else if result == .skip {
                finishStage(id, .skipped, .skipped)
            } else {
                endInside(
                    id, .failed, .failed, .failed, "The entry condition of stage '\(passage.stage)' was not met")
            }
        case .onSuccess:
            if met { return finishStage(id, .succeeded, .succeeded) }
            endInside(
                id, .failed, .failed, .failed, "The success condition of stage '\(passage.stage)' was not met",
                rollsBack: result == .rollback && canRollBack(id))
        case .onFailure:
            // Failure conditions engage when they are met.
            fail(id, rollsBack: met && result == .rollback)
        }
    }

    /// All actions of a group have ended and one of them failed.
    mutating func stageFailed(_ id: String) {
        guard let plan = plan(of: id), let passage = machine.runs[id]?.passage else { return }
        if plan.failureResult == .retry, passage.automaticRetries == 0 {
            machine.runs[id]?.passage?.automaticRetries += 1
            machine.runs[id]?.passage?.retriedAutomaticallyLast = true
            return resume(id, plan.retryMode)
        }
        if plan.conditions[.onFailure] != nil { return check(.onFailure, id) }
        fail(id, rollsBack: plan.failureResult == .rollback)
    }

    mutating func fail(_ id: String, rollsBack: Bool) {
        guard let passage = machine.runs[id]?.passage else { return }
        let names = passage.actions.filter { $0.status == .failed }.map { "'\($0.name)'" }.joined(separator: ", ")
        endInside(
            id, .failed, .failed, .failed, "Stage '\(passage.stage)' failed in action \(names)",
            rollsBack: rollsBack && canRollBack(id))
    }

    /// A rollback that fails is not rolled back itself: that would go on for ever.
    func canRollBack(_ id: String) -> Bool {
        guard let run = machine.runs[id] else { return false }
        return run.kind == .standard && run.mode != .parallel && !run.isCancelling
    }

    /// Makes actions of a passage start again.
    mutating func resume(_ id: String, _ mode: RetryMode) {
        guard let passage = machine.runs[id]?.passage else { return }
        for index in passage.actions.indices {
            let status = passage.actions[index].status
            if status == .failed || status == .abandoned || mode == .allActions {
                machine.runs[id]?.passage?.actions[index].status = nil
                machine.runs[id]?.passage?.actions[index].serial = 0
            }
        }
        machine.runs[id]?.attempt += 1
        machine.runs[id]?.status = .inProgress
        machine.runs[id]?.isAbandoning = false
        machine.runs[id]?.stopReason = nil
        if machine.runs[id]?.mode != .parallel { machine.lanes[passage.stage, default: .init()].lock = id }
        setStage(id, .inProgress)
        effects.append(.execution(id: id, .resumed, summary: nil))
        effects.append(.stage(id: id, stage: passage.stage, .resumed))
        begin(id)
    }

    mutating func overrideCondition(_ id: String, _ stage: String, _ hook: ConditionHook) throws(PipelineError) {
        guard let run = machine.runs[id], run.mode == .parallel || machine.lanes[stage]?.latest?.id == id else {
            throw PipelineError(
                .notLatestExecution, "The execution is not the latest one in the stage '\(stage)'")
        }
        guard let passage = run.passage, passage.stage == stage, let result = condition(hook, of: id),
            result != .skip, hook != .onFailure
        else {
            throw PipelineError(
                .conditionNotOverridable,
                "The stage '\(stage)' has no condition \(hook.rawValue) of this execution that can be overridden")
        }
        if passage.check?.hook == hook {
            endCheck(id, .overridden)
        } else if run.status == .failed, run.version == machine.version, !passage.hasFailed,
            passage.hasEntered == (hook == .onSuccess), machine.lanes[stage]?.lock == nil
        {
            // It failed for this condition alone: take the execution up again behind it.
            try checkCapacity()
            machine.runs[id]?.status = .inProgress
            machine.runs[id]?.attempt += 1
            if run.mode != .parallel { machine.lanes[stage, default: .init()].lock = id }
            setStage(id, .inProgress)
            effects.append(.execution(id: id, .resumed, summary: nil))
            effects.append(.stage(id: id, stage: stage, .resumed))
            effects.append(.endCheck(id: id, stage: stage, hook: hook, .overridden))
        } else {
            throw PipelineError(
                .conditionNotOverridable, "The condition \(hook.rawValue) of stage '\(stage)' is not waiting or failed")
        }
        if hook == .beforeEntry {
            machine.runs[id]?.passage?.hasEntered = true
            startActions(id)
        } else {
            finishStage(id, .succeeded, .succeeded)
        }
    }
}
