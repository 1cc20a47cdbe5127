import ArtifactStore
import Catalog
import Foundation
import PipelineModel
import Synchronization
import Testing

@testable import PipelineEngine

/// Kills the driver between every two of its steps and lets another one go on.
@Suite("Crashes")
struct CrashTests {
    /// Counts steps and fails at one of them.
    final class Killer: Sendable {
        struct Killed: Error {}
        private let state: Mutex<Int>
        private let point = Mutex<String?>(nil)
        let gate = Gate()

        init(at step: Int) { state = Mutex(step) }

        var killedAt: String? { point.withLock { $0 } }

        func check(_ name: String) throws {
            let isHere = state.withLock { left in
                left -= 1
                return left == -1
            }
            guard isHere else { return }
            point.withLock { $0 = name }
            gate.open()
            throw Killed()
        }
    }

    static func declaration(_ name: String) -> PipelineDeclaration {
        Pipelines.three(name) { pipeline in
            let rule = RuleDeclaration(
                name: "made", ruleTypeId: RuleTypeID(provider: "VariableCheck"),
                configuration: ["Variable": "#{Src.Made}", "Value": "Fetch", "Operator": "EQ"])
            pipeline.stages[1].beforeEntry = StageConditions(conditions: [.init(result: .fail, rules: [rule])])
            pipeline.stages[1].actions.append(Pipelines.build("Other", output: "Other"))
        }
    }

    @Test("Whatever step a driver dies before, the next one brings the execution to its end")
    func everyStep() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        var points: Set<String> = []
        for step in 0..<200 {
            let name = "p\(step)"
            _ = try await fixture.service().createPipeline(Self.declaration(name), in: scope, caller: "me")
            let id = try await fixture.service().listExecutions(of: name, in: scope).items[0].id
            let killer = Killer(at: step)
            let doomed = fixture.service(fault: { try killer.check($0) })
            let wasKilled = try await fixture.running(doomed) { service in
                await withTaskGroup(of: Bool.self) { group in
                    group.addTask {
                        await killer.gate.pass()
                        return !Task.isCancelled
                    }
                    group.addTask {
                        // Throws when cancelled because the driver died.
                        _ = try? await service.waitForEnd(id, name, scope)
                        return false
                    }
                    let first = await group.next() ?? false
                    group.cancelAll()
                    return first
                }
            }
            if let point = killer.killedAt { points.insert(point) }
            let ended = try await fixture.running(fixture.service()) { try await $0.waitForEnd(id, name, scope) }
            #expect(ended.status == .succeeded, "killed before step \(step), \(killer.killedAt ?? "")")
            try await check(fixture, name, id)
            try await fixture.service().deletePipeline(name, in: scope)
            if !wasKilled, killer.killedAt == nil { break }
        }
        #expect(
            points.isSuperset(of: [
                "before transaction", "after transaction", "after claim", "before publish", "after publish",
                "after run", "after check",
            ]), "\(points)")
    }

    /// Every action that started has ended once, with its output; no job is left.
    private func check(_ fixture: EngineFixture, _ name: String, _ id: String) async throws {
        let service = fixture.service()
        let changes = try await service.changes(of: name, after: 0, in: fixture.scope)
        var terminal: [String: Int] = [:]
        for change in changes where change.subject == .action && ["SUCCEEDED", "FAILED"].contains(change.state) {
            terminal[change.actionExecutionID ?? "", default: 0] += 1
        }
        let actions = try await service.listActionExecutions(of: name, execution: id, in: fixture.scope).items
        #expect(actions.count == 4)
        for action in actions {
            #expect(terminal[action.actionExecutionID] == 1)
            for output in action.outputs {
                let version = try #require(output.version)
                _ = try await fixture.store.version(version)
            }
        }
        #expect(changes.map(\.sequence) == Array(1...Int64(changes.count)))
        let jobs = try await fixture.rows("SELECT id FROM pipeline_jobs WHERE state <> 'Succeeded'")
        #expect(jobs.isEmpty)
    }

    @Test("A service that is told to stop gives its jobs back")
    func shutdown() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let started = Gate()
        fixture.runner.on("Make") { _, _ in
            started.open()
            try await Task.sleep(for: .seconds(3600))
            return ActionOutcome()
        }
        let id = try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            await started.pass()
            return try await service.listExecutions(of: "demo", in: scope).items[0].id
        }
        let states = try await fixture.rows("SELECT state FROM pipeline_jobs ORDER BY created, id")
        #expect(Set(try states.map { try $0.string("state") }) == ["Succeeded", "Queued"])
        fixture.runner.on("Make") { try await FakeRunner.publishAll($0, $1) }
        let ended = try await fixture.running(fixture.service()) { try await $0.waitForEnd(id, "demo", scope) }
        #expect(ended.status == .succeeded)
    }
}
