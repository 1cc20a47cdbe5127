import Foundation
import PipelineModel
import Testing

@testable import PipelineEngine

@Suite("The pipeline state machine")
struct MachineTests {
    let plan = PipelinePlan("Source:Fetch Build:A,B|C Deploy:Go?")

    @Test("Groups run one after the other, stages too, and the order of events is that of AWS")
    func happyPath() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        #expect(
            harness.log == [
                .execution(id: "e1", .started, summary: nil), .stage(id: "e1", stage: "Source", .started),
                .startAction(id: "e1", stage: "Source", action: "Fetch", serial: 1),
            ])
        try harness.end("Fetch", of: "e1")
        #expect(Set(harness.open.values.map(\.action)) == ["A", "B"])
        try harness.end("A", of: "e1")
        #expect(harness.open.values.map(\.action) == ["B"])
        try harness.end("B", of: "e1")
        try harness.end("C", of: "e1")
        try harness.end("Go?", of: "e1")
        #expect(harness.log.last == .execution(id: "e1", .succeeded, summary: nil))
        #expect(harness.machine.runs.isEmpty)
    }

    @Test("A failed action lets its siblings end, then fails stage and execution")
    func failure() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.end("A", of: "e1", succeeded: false)
        #expect(harness.statuses["e1"] == .started)
        try harness.end("B", of: "e1")
        #expect(harness.statuses["e1"] == .failed)
        #expect(harness.open.isEmpty)
        #expect(harness.machine.lanes["Build"]?.lock == nil)
    }

    @Test("A newer execution replaces the older one that waits, never the one inside")
    func superseding() throws {
        var harness = MachineHarness(plan)
        for id in ["e1", "e2", "e3"] { try harness.start(id) }
        #expect(harness.statuses["e2"] == .superseded)
        #expect(harness.machine.lanes["Source"]?.waiting == ["e3"])
        try harness.end("Fetch", of: "e1")
        #expect(harness.machine.lanes["Source"]?.lock == "e3")
        #expect(harness.machine.lanes["Build"]?.lock == "e1")
    }

    @Test("QUEUED executions wait in order of arrival, at most fifty live")
    func queue() throws {
        var harness = MachineHarness(PipelinePlan("Source:Fetch Build:A", mode: .queued))
        for number in 1...50 { try harness.start("e\(number)") }
        #expect(harness.machine.lanes["Source"]?.waiting.first == "e2")
        #expect(harness.machine.lanes["Source"]?.waiting.count == 49)
        let error = #expect(throws: PipelineError.self) { try harness.start("e51") }
        #expect(error?.code == .executionsLimit)
        try harness.end("Fetch", of: "e1")
        #expect(harness.machine.lanes["Source"]?.lock == "e2")
    }

    @Test("PARALLEL executions share nothing and run five actions at once")
    func parallel() throws {
        var harness = MachineHarness(PipelinePlan("Source:a,b,c,d,e,f,g Build:A", mode: .parallel))
        try harness.start("e1")
        try harness.start("e2")
        #expect(harness.open.count == 10)
        try harness.end("a", of: "e1")
        #expect(harness.open.count == 10)
        #expect(harness.machine.lanes.isEmpty)
    }

    @Test("A closed transition holds executions until it is opened", arguments: [TransitionType.inbound, .outbound])
    func transitions(_ type: TransitionType) throws {
        var harness = MachineHarness(plan)
        let stage = type == .inbound ? "Build" : "Source"
        try harness.apply(.setTransition(stage: stage, type: type, enabled: false, reason: "freeze", by: "me"))
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        #expect(harness.machine.lanes["Build"]?.waiting == ["e1"])
        try harness.start("e2")
        try harness.end("Fetch", of: "e2")
        #expect(harness.statuses["e1"] == .superseded)
        try harness.apply(.setTransition(stage: stage, type: type, enabled: true, reason: "", by: "me"))
        #expect(harness.machine.lanes["Build"]?.lock == "e2")
        try harness.apply(.setTransition(stage: stage, type: type, enabled: true, reason: "", by: "me"))
    }

    @Test("After thirty days a hold no longer lets in what waited")
    func expiredHold() throws {
        var harness = MachineHarness(plan)
        try harness.apply(.setTransition(stage: "Build", type: .inbound, enabled: false, reason: "x", by: "me"))
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        harness.time += 31 * 86400
        try harness.apply(.setTransition(stage: "Build", type: .inbound, enabled: true, reason: "", by: "me"))
        #expect(harness.statuses["e1"] == .cancelled)
    }

    @Test("Stopping waits for what runs; abandoning does not")
    func stop() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.apply(.stop(execution: "e1", abandon: false, reason: "why"))
        #expect(harness.statuses["e1"] == .stopping)
        let again = #expect(throws: PipelineError.self) {
            try harness.apply(.stop(execution: "e1", abandon: false, reason: nil))
        }
        #expect(again?.code == .duplicatedStop)
        try harness.end("A", of: "e1")
        #expect(harness.statuses["e1"] == .stopping)
        try harness.apply(.stop(execution: "e1", abandon: true, reason: nil))
        #expect(harness.statuses["e1"] == .stopped)
        let over = #expect(throws: PipelineError.self) {
            try harness.apply(.stop(execution: "e1", abandon: true, reason: nil))
        }
        #expect(over?.code == .executionNotStoppable)
        // A late result of the abandoned action changes nothing.
        #expect(try harness.apply(.actionEnded(execution: "e1", serial: 3, succeeded: true)) == [])
        try harness.apply(.retry(execution: "e1", stage: "Build", mode: .failedActions))
        #expect(Set(harness.open.values.map(\.action)) == ["B"])
    }

    @Test("A waiting execution stops at once and cannot be retried")
    func stopWaiting() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.start("e2")
        try harness.apply(.stop(execution: "e2", abandon: false, reason: nil))
        #expect(harness.statuses["e2"] == .stopped)
        let error = #expect(throws: PipelineError.self) {
            try harness.apply(.retry(execution: "e2", stage: "Source", mode: .failedActions))
        }
        #expect(error?.code == .notLatestExecution)
    }

    @Test(
        "Retrying runs what failed, or all, in the same execution", arguments: [RetryMode.failedActions, .allActions])
    func retry(_ mode: RetryMode) throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.end("A", of: "e1", succeeded: false)
        if mode == .allActions {
            let error = #expect(throws: PipelineError.self) {
                try harness.apply(.retry(execution: "e1", stage: "Build", mode: .allActions))
            }
            #expect(error?.code == .stageNotRetryable)
        }
        try harness.end("B", of: "e1")
        try harness.apply(.retry(execution: "e1", stage: "Build", mode: mode))
        #expect(Set(harness.open.values.map(\.action)) == (mode == .allActions ? ["A", "B"] : ["A"]))
        #expect(harness.machine.runs["e1"]?.attempt == 2)
        try harness.end("A", of: "e1")
        if mode == .allActions { try harness.end("B", of: "e1") }
        try harness.end("C", of: "e1")
        #expect(harness.machine.lanes["Deploy"]?.lock == "e1")
    }

    @Test("A failed action can be retried while its sibling still runs")
    func retryBesideSibling() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.end("A", of: "e1", succeeded: false)
        try harness.apply(.retry(execution: "e1", stage: "Build", mode: .failedActions))
        #expect(Set(harness.open.values.map(\.action)) == ["A", "B"])
        let error = #expect(throws: PipelineError.self) {
            try harness.apply(.retry(execution: "e1", stage: "Build", mode: .failedActions))
        }
        #expect(error?.code == .conflict)
    }

    @Test("What failed can no longer be retried once another execution entered, or after an update")
    func retryTooLate() throws {
        var harness = MachineHarness(plan)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1", succeeded: false)
        try harness.start("e2")
        let error = #expect(throws: PipelineError.self) {
            try harness.apply(.retry(execution: "e1", stage: "Source", mode: .failedActions))
        }
        #expect(error?.code == .notLatestExecution)
        try harness.end("Fetch", of: "e2", succeeded: false)
        harness.plans[2] = PipelinePlan("Source:Fetch Build:A", version: 2)
        try harness.apply(.update(version: 2))
        #expect(throws: PipelineError.self) {
            try harness.apply(.retry(execution: "e2", stage: "Source", mode: .failedActions))
        }
    }

    @Test("An update cancels what waits at once, and what runs when its actions have ended")
    func update() throws {
        var harness = MachineHarness(plan)
        for id in ["e1", "e2"] { try harness.start(id) }
        harness.plans[2] = PipelinePlan("Source:Fetch Build:X", version: 2)
        try harness.apply(.update(version: 2))
        #expect(harness.statuses["e2"] == .cancelled)
        #expect(harness.statuses["e1"] == .started)
        try harness.start("e3")
        #expect(harness.machine.lanes["Source"]?.waiting == ["e3"])
        try harness.end("Fetch", of: "e1")
        #expect(harness.statuses["e1"] == .cancelled)
        #expect(harness.machine.lanes["Source"]?.lock == "e3")
    }

    @Test("An update ends an open approval at once")
    func updateDuringApproval() throws {
        var harness = MachineHarness(PipelinePlan("Source:Fetch Gate:Ok?"))
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        harness.plans[2] = PipelinePlan("Source:Fetch Gate:Ok?", version: 2)
        try harness.apply(.update(version: 2))
        #expect(harness.statuses["e1"] == .cancelled)
        #expect(harness.machine.lanes["Gate"]?.lock == nil)
    }

    @Test("PARALLEL executions go on under their own version when the pipeline is updated")
    func updateParallel() throws {
        var harness = MachineHarness(PipelinePlan("Source:Fetch Old:A", mode: .parallel))
        try harness.start("e1")
        harness.plans[2] = PipelinePlan("Source:Fetch New:B", version: 2)
        try harness.apply(.update(version: 2))
        try harness.end("Fetch", of: "e1")
        try harness.end("A", of: "e1")
        #expect(harness.statuses["e1"] == .succeeded)
    }

    @Test("A stage is retried automatically once")
    func automaticRetry() throws {
        var harness = MachineHarness(plan.changing("Build") { $0.failureResult = .retry })
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.end("A", of: "e1", succeeded: false)
        try harness.end("B", of: "e1")
        #expect(Set(harness.open.values.map(\.action)) == ["A"])
        try harness.end("A", of: "e1", succeeded: false)
        #expect(harness.statuses["e1"] == .failed)
        #expect(harness.machine.lanes["Build"]?.latest?.automaticRetries == 1)
    }

    @Test("A failed stage asks for a rollback before anybody else may enter")
    func automaticRollback() throws {
        var harness = MachineHarness(plan.changing("Build") { $0.failureResult = .rollback })
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        try harness.start("e2")
        try harness.end("Fetch", of: "e2")
        try harness.end("A", of: "e1", succeeded: false)
        try harness.end("B", of: "e1")
        #expect(harness.rollbacks.map(\.failed) == ["e1"])
        #expect(harness.machine.lanes["Build"]?.waiting == ["e2"])
        harness.numbers["r"] = 3
        try harness.apply(.startRollback(id: "r", number: 3, stage: "Build", isAutomatic: true))
        #expect(harness.machine.lanes["Build"]?.lock == "r")
        for action in ["A", "B", "C"] { try harness.end(action, of: "r") }
        #expect(harness.statuses["r"] == .succeeded)
        #expect(harness.machine.lanes["Build"]?.lock == "e2")
    }

    @Test(
        "Conditions decide as their results say",
        arguments: [
            (ConditionHook.beforeEntry, ConditionResult.fail, false, MachineStep.failed),
            (.beforeEntry, .skip, false, .succeeded), (.beforeEntry, .fail, true, .succeeded),
            (.onSuccess, .fail, false, .failed), (.onSuccess, .fail, true, .succeeded),
        ])
    func conditions(_ hook: ConditionHook, _ result: ConditionResult, _ met: Bool, _ expected: MachineStep) throws {
        let small = PipelinePlan("Source:Fetch Build:A").changing("Build") { $0.conditions[hook] = result }
        var harness = MachineHarness(small)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        if hook == .onSuccess { try harness.end("A", of: "e1") }
        let serial = try #require(harness.checks.keys.first)
        try harness.apply(.conditionEnded(execution: "e1", serial: serial, met: met))
        if hook == .beforeEntry, met { try harness.end("A", of: "e1") }
        #expect(harness.statuses["e1"] == expected)
        if result == .skip { #expect(harness.log.contains(.stage(id: "e1", stage: "Build", .skipped))) }
    }

    @Test("A condition that waits or failed can be overridden")
    func override() throws {
        let small = PipelinePlan("Source:Fetch Build:A").changing("Build") { $0.conditions[.beforeEntry] = .fail }
        var harness = MachineHarness(small)
        try harness.start("e1")
        try harness.end("Fetch", of: "e1")
        let serial = try #require(harness.checks.keys.first)
        try harness.apply(.conditionEnded(execution: "e1", serial: serial, met: false))
        #expect(harness.statuses["e1"] == .failed)
        try harness.apply(.override(execution: "e1", stage: "Build", hook: .beforeEntry))
        try harness.end("A", of: "e1")
        #expect(harness.statuses["e1"] == .succeeded)
    }

    @Test("The state survives being written and read")
    func coding() throws {
        var harness = MachineHarness(plan)
        for id in ["e1", "e2"] { try harness.start(id) }
        try harness.end("Fetch", of: "e1")
        let text = try JSONText.encode(harness.machine)
        #expect(try JSONText.decode(text, as: PipelineMachine.self) == harness.machine)
    }
}
