import Foundation
import PipelineModel
import Testing

@testable import PipelineEngine

/// Histories of random events; the harness checks the invariants after each.
@Suite("Random histories of the state machine")
struct MachineRandomTests {
    static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["COFFER_TEST_SEED"], let seed = UInt64(text) { return [seed] }
        return (0..<120).map { 0xC0FFE4 &+ $0 &* 7919 }
    }()

    @Test("Whatever happens, the invariants hold and everything can be brought to an end", arguments: seeds)
    func history(_ seed: UInt64) throws {
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let mode = [ExecutionMode.superseded, .queued, .parallel].randomElement(using: &random) ?? .superseded
        var harness = MachineHarness(Self.plan(mode, version: 1, &random))
        for _ in 0..<250 { try Self.step(&harness, &random) }
        try Self.drain(&harness, &random)
        #expect(harness.machine.runs.values.allSatisfy { !$0.status.isLive }, "seed \(seed)")
        #expect(harness.open.isEmpty)
        // Every execution has ended, and once at last.
        for (id, status) in harness.statuses {
            #expect([.succeeded, .failed, .stopped, .superseded, .cancelled].contains(status), "\(id) is \(status)")
        }
    }

    @Test("The same events make the same state")
    func deterministic() throws {
        func run() throws -> PipelineMachine {
            var random = SeededGenerator(seed: 42)
            var harness = MachineHarness(Self.plan(.superseded, version: 1, &random))
            for _ in 0..<150 { try Self.step(&harness, &random) }
            return harness.machine
        }
        #expect(try run() == run())
    }

    static func plan(_ mode: ExecutionMode, version: Int, _ random: inout SeededGenerator) -> PipelinePlan {
        var plan = PipelinePlan(
            [
                "Source:Fetch Build:A,B|C Deploy:Go?", "Source:F,G Test:T Gate:Ok? Ship:S,T|U,V|W",
                "Source:Fetch Build:A",
            ]
            .randomElement(using: &random) ?? "Source:Fetch Build:A", mode: mode, version: version)
        for index in plan.stages.indices.dropFirst() {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: plan.stages[index].failureResult = .retry
            case 1 where mode != .parallel: plan.stages[index].failureResult = .rollback
            case 2: plan.stages[index].conditions[.beforeEntry] = Bool.random(using: &random) ? .skip : .fail
            case 3: plan.stages[index].conditions[.onSuccess] = mode == .parallel ? .fail : .rollback
            case 4: plan.stages[index].conditions[.onFailure] = mode == .parallel ? .fail : .rollback
            default: break
            }
        }
        return plan
    }

    static func step(_ harness: inout MachineHarness, _ random: inout SeededGenerator) throws {
        try answer(&harness, &random)
        let stages = harness.plans[harness.machine.version]?.stages.map(\.name) ?? []
        let stage = stages.randomElement(using: &random) ?? ""
        let executions = harness.numbers.keys.sorted()
        let execution = executions.randomElement(using: &random) ?? "none"
        do {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<3: try harness.start("e\(harness.numbers.count + 1)")
            case 3..<11:
                guard let serial = harness.open.keys.sorted().randomElement(using: &random) else { return }
                try harness.end(serial, succeeded: Int.random(in: 0..<4, using: &random) > 0)
            case 11:
                try harness.apply(.stop(execution: execution, abandon: Bool.random(using: &random), reason: nil))
            case 12, 13:
                try harness.apply(
                    .retry(
                        execution: execution, stage: stage,
                        mode: Bool.random(using: &random) ? .allActions : .failedActions))
            case 14, 15:
                try harness.apply(
                    .setTransition(
                        stage: stage, type: Bool.random(using: &random) ? .inbound : .outbound,
                        enabled: Int.random(in: 0..<3, using: &random) > 0, reason: "r", by: "me"))
            case 16 where Int.random(in: 0..<5, using: &random) == 0:
                let version = harness.machine.version + 1
                let mode = [ExecutionMode.superseded, .queued, .parallel].randomElement(using: &random) ?? .queued
                harness.plans[version] = plan(mode, version: version, &random)
                try harness.apply(.update(version: version))
            case 17:
                let id = "r\(harness.numbers.count + 1)"
                try harness.apply(
                    .startRollback(id: id, number: harness.numbers.count + 1, stage: stage, isAutomatic: false))
                harness.numbers[id] = harness.numbers.count + 1
            case 18:
                try harness.apply(.override(execution: execution, stage: stage, hook: .beforeEntry))
            default:
                // A result nobody waits for.
                try harness.apply(.actionEnded(execution: execution, serial: 1_000_000, succeeded: true))
            }
        } catch let error as PipelineError {
            // Refusals are part of the game; the machine is as before.
            #expect(!error.message.isEmpty)
            harness.checkInvariants()
        }
    }

    /// Answers rollbacks at once, as the driver does in the same transaction, and checks now and then.
    static func answer(_ harness: inout MachineHarness, _ random: inout SeededGenerator) throws {
        if let serial = harness.checks.keys.sorted().first, Bool.random(using: &random) {
            let execution = harness.checks.removeValue(forKey: serial) ?? ""
            try harness.apply(
                .conditionEnded(execution: execution, serial: serial, met: Bool.random(using: &random)))
        }
        while !harness.rollbacks.isEmpty {
            let (stage, _) = harness.rollbacks.removeFirst()
            let number = harness.numbers.count + 1
            if Bool.random(using: &random) {
                harness.numbers["a\(number)"] = number
                try harness.apply(.startRollback(id: "a\(number)", number: number, stage: stage, isAutomatic: true))
            } else {
                try harness.apply(.noRollback(stage: stage))
            }
        }
    }

    /// Opens everything and lets everything succeed.
    static func drain(_ harness: inout MachineHarness, _ random: inout SeededGenerator) throws {
        for stage in harness.plans[harness.machine.version]?.stages ?? [] {
            for type in [TransitionType.inbound, .outbound] {
                try harness.apply(
                    .setTransition(stage: stage.name, type: type, enabled: true, reason: "", by: "me"))
            }
        }
        for _ in 0..<5000 {
            try answer(&harness, &random)
            if let serial = harness.open.keys.sorted().first {
                try harness.end(serial)
            } else if harness.checks.isEmpty, harness.rollbacks.isEmpty {
                break
            }
        }
    }
}
