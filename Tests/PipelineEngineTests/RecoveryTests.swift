import ArtifactStore
import Catalog
import Foundation
import ObjectStorage
import PipelineModel
import Synchronization
import Testing

@testable import PipelineEngine

@Suite("Rollback, conditions and custom actions")
struct RecoveryTests {
    @Test("A rollback runs one stage with the artifacts of its target")
    func manualRollback() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            let first = try await service.listExecutions(of: "demo", in: scope).items[0].id
            try await service.waitForEnd(first, "demo", scope)
            let second = try await service.startExecution(of: "demo", StartRequest(caller: "me"), in: scope)
            try await service.waitForEnd(second, "demo", scope)
            await expectRefusal(.unableToRollback) {
                _ = try await service.rollbackStage("Source", to: first, of: "demo", in: scope, caller: "me")
            }
            await expectRefusal(.executionNotFound) {
                _ = try await service.rollbackStage("Deploy", to: "none", of: "demo", in: scope, caller: "me")
            }
            let id = try await service.rollbackStage("Deploy", to: first, of: "demo", in: scope, caller: "arn:me")
            let ended = try await service.waitForEnd(id, "demo", scope)
            #expect(ended.status == .succeeded && ended.kind == .rollback && ended.rollbackTarget == first)
            #expect(ended.trigger == ExecutionTrigger(type: "ManualRollback", detail: "arn:me"))
            let actions = try await service.listActionExecutions(of: "demo", execution: id, in: scope).items
            let original = try await service.listActionExecutions(of: "demo", execution: first, in: scope).items
            #expect(actions.map(\.actionName) == ["Ship"])
            #expect(actions[0].inputs.map(\.version) == original[0].inputs.map(\.version))
            let succeeded = try await service.listExecutions(of: "demo", succeededIn: "Deploy", in: scope).items
            #expect(succeeded.map(\.id) == [second, first])
        }
    }

    @Test("A failed stage with ROLLBACK returns to the last execution that succeeded in it")
    func automaticRollback() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let failing = Mutex<String?>(nil)
        fixture.runner.on("Ship") { job, _ in
            if failing.withLock({ $0 }) == job.executionID { throw ActionFailure(.jobFailed, "no") }
            return ActionOutcome()
        }
        try await fixture.running(fixture.service()) { service in
            let pipeline = Pipelines.three { $0.stages[2].onFailure = FailureConditions(result: .rollback) }
            _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
            let first = try await service.listExecutions(of: "demo", in: scope).items[0].id
            try await service.waitForEnd(first, "demo", scope)
            try await service.disableTransition(
                .inbound, of: "Deploy", in: "demo", reason: "wait", scope: scope, caller: "me")
            let second = try await service.startExecution(of: "demo", StartRequest(caller: "me"), in: scope)
            failing.withLock { $0 = second }
            try await service.enableTransition(.inbound, of: "Deploy", in: "demo", scope: scope, caller: "me")
            #expect(try await service.waitForEnd(second, "demo", scope).status == .failed)
            let rollback = try await service.listExecutions(of: "demo", in: scope).items[0]
            #expect(rollback.kind == .rollback && rollback.rollbackTarget == first)
            #expect(rollback.trigger.detail == #"{"FailedPipelineExecutionId":"\#(second)"}"#)
            #expect(try await service.waitForEnd(rollback.id, "demo", scope).status == .succeeded)
        }
    }

    @Test(
        "A VariableCheck condition decides about entry",
        arguments: [
            ("EQ", "Fetch", ExecutionStatus.succeeded), ("EQ", "Other", .failed), ("NE", "Other", .succeeded),
            ("CONTAINS", "etc", .succeeded), ("MATCHES", "F.*h", .succeeded), ("MATCHES", "F", .failed),
            ("MATCHES", "(", .failed),
        ])
    func variableCheck(_ name: String, _ value: String, _ expected: ExecutionStatus) async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            let pipeline = Pipelines.three {
                let rule = RuleDeclaration(
                    name: "check", ruleTypeId: RuleTypeID(provider: "VariableCheck"),
                    configuration: ["Variable": "#{Src.Made}", "Value": value, "Operator": name])
                $0.stages[1].beforeEntry = StageConditions(conditions: [.init(result: .fail, rules: [rule])])
            }
            _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            #expect(try await service.waitForEnd(id, "demo", scope).status == expected)
            let state = try await service.pipelineState("demo", in: scope).stages[1]
            let condition = try #require(state.conditions.first)
            #expect(condition.hook == .beforeEntry)
            let status: ConditionStatus = expected == .succeeded ? .succeeded : value == "(" ? .errored : .failed
            #expect(condition.status == status)
            let rules = try await service.listRuleExecutions(of: "demo", execution: id, in: scope).items
            #expect(
                rules.count == 1 && rules[0].ruleName == "check"
                    && rules[0].rule?.ruleTypeId.provider == "VariableCheck")
            #expect(rules[0].state == condition.rules[0])
            guard expected == .failed else { return }
            let sequence = try await service.pipelineState("demo", in: scope).sequence
            try await service.overrideStageCondition(
                .beforeEntry, of: "Build", execution: id, of: "demo", in: scope)
            #expect(try await service.waitForEnd(id, "demo", scope, after: sequence).status == .succeeded)
        }
    }

    @Test("A custom action's worker polls, acknowledges, continues and succeeds")
    func customAction() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let id = ActionTypeID(category: .build, owner: .custom, provider: "Robot")
        try await fixture.running(fixture.service()) { service in
            let type = ActionType(
                id: id, settings: .init(executionUrlTemplate: "https://robot/{Config:Arm}/{ExternalExecutionId}"),
                properties: [
                    .init(name: "Arm", required: true, queryable: true),
                    .init(name: "Key", required: true, secret: true),
                ], inputs: .init(0, 1), outputs: .init(0, 1))
            _ = try await service.createCustomActionType(type, in: scope)
            #expect(try await service.listActionTypes(owner: .custom, in: scope).items == [type])
            let pipeline = Pipelines.three {
                $0.stages[1].actions[0].actionTypeId = id
                $0.stages[1].actions[0].configuration = ["Arm": "left", "Key": "secret"]
            }
            let shown = try await service.createPipeline(pipeline, in: scope, caller: "me")
            #expect(shown.declaration.stages[1].actions[0].configuration?["Key"] == "****")
            let execution = try await service.listExecutions(of: "demo", in: scope).items[0].id
            try await service.wait("demo", scope) { $0.action == "Make" && $0.state == "STARTED" }
            await expectRefusal(.validation) { _ = try await service.pollForJobs(id, in: scope) }
            #expect(try await service.pollForJobs(id, query: ["Arm": "right"], in: scope).isEmpty)
            let job = try #require(try await service.pollForJobs(id, query: ["Arm": "left"], in: scope).first)
            #expect(job.job.configuration["Key"] == "secret")
            #expect(job.job.inputs.count == 1 && job.job.outputs.count == 1)
            #expect(try await service.pollForJobs(id, query: ["Arm": "left"], in: scope).isEmpty)
            await expectRefusal(.invalidNonce) {
                _ = try await service.acknowledgeJob(job.id, nonce: "old", in: scope)
            }
            #expect(try await service.acknowledgeJob(job.id, nonce: job.nonce ?? "", in: scope) == "InProgress")
            try await service.putJobSuccess(
                job.id, WorkerSuccess(continuationToken: "more", progress: .init(externalExecutionID: "x1")), in: scope)
            await expectRefusal(.invalidJobState) {
                try await service.putJobSuccess(job.id, WorkerSuccess(), in: scope)
            }
            let next = try #require(try await service.pollForJobs(id, query: ["Arm": "left"], in: scope).first)
            #expect(next.id != job.id && next.continuationToken == "more")
            let output = try #require(next.job.outputs.first)
            _ = try await fixture.objects.put(
                bucket: output.bucket, key: output.objectKey, bytes: Array("built".utf8))
            _ = try await service.acknowledgeJob(next.id, nonce: next.nonce ?? "", in: scope)
            try await service.putJobSuccess(next.id, WorkerSuccess(variables: ["n": "1"]), in: scope)
            #expect(try await service.waitForEnd(execution, "demo", scope).status == .succeeded)
            let actions = try await service.listActionExecutions(of: "demo", in: scope).items
            #expect(actions[1].progress.externalExecutionURL == "https://robot/left/x1")
            #expect(actions[1].configuration["Key"] == "****" && actions[1].outputVariables == ["n": "1"])
            #expect(actions[0].inputs.first?.version == actions[1].outputs.first?.version)
        }
    }

    @Test("Secret values are sealed at rest and open for workers only")
    func secrets() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let sealing = SecretSealing(
            seal: { bytes, _ in bytes.map { $0 ^ 0x55 } }, open: { bytes, _ in bytes.map { $0 ^ 0x55 } })
        let service = fixture.service(secrets: sealing)
        let id = ActionTypeID(category: .source, owner: .custom, provider: "Vault")
        _ = try await service.createCustomActionType(
            ActionType(
                id: id, properties: [.init(name: "Token", required: true, secret: true)], inputs: .init(0, 0),
                outputs: .init(1, 1)), in: scope)
        var pipeline = Pipelines.three()
        pipeline.stages[0].actions[0].actionTypeId = id
        pipeline.stages[0].actions[0].configuration = ["Token": "open sesame"]
        _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
        for table in ["versions", "actions"] {
            let column = table == "versions" ? "declaration_json" : "record_json"
            let texts = try await fixture.rows("SELECT \(column) AS text FROM pipeline_\(table)")
            for row in texts { #expect(!(try row.string("text")).contains("sesame")) }
        }
        let shown = try await service.getPipeline("demo", in: scope).declaration
        #expect(shown.stages[0].actions[0].configuration?["Token"] == "****")
        _ = try await service.updatePipeline(shown, in: scope, caller: "me")
        _ = try await service.startExecution(of: "demo", StartRequest(caller: "me"), in: scope)
        let jobs = try await service.pollForJobs(id, limit: 5, in: scope)
        #expect(jobs.map { $0.job.configuration["Token"] }.allSatisfy { $0 == "open sesame" } && !jobs.isEmpty)
    }

    @Test("A custom source's new revision starts an execution, the same one does not")
    func actionRevision() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let service = fixture.service()
        _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
        func put(_ id: String) async throws -> (isNew: Bool, executionID: String) {
            try await service.putActionRevision(
                SourceRevision(id: id, changeID: "c"), action: "Fetch", stage: "Source", of: "demo", in: scope,
                caller: "me")
        }
        let first = try await put("r7")
        let again = try await put("r7")
        #expect(first.isNew && !again.isNew && first.executionID == again.executionID)
        #expect(try await put("r8").isNew)
    }

    @Test("An action can start another pipeline, once")
    func invokesPipeline() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            let other = Pipelines.three("other") { $0.variables = [.init(name: "colour", defaultValue: "red")] }
            _ = try await service.createPipeline(other, in: scope, caller: "me")
            let pipeline = Pipelines.three {
                $0.stages[2].actions = [
                    ActionDeclaration(
                        name: "Call", actionTypeId: ActionTypeID(category: .invoke, provider: "CodePipeline"),
                        configuration: [
                            "PipelineName": "other", "Variables": ##"[{"name":"colour","value":"#{Src.Made}"}]"##,
                        ])
                ]
            }
            _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            #expect(try await service.waitForEnd(id, "demo", scope).status == .succeeded)
            let call = try await service.listActionExecutions(of: "demo", in: scope).items[0]
            let started = try #require(call.progress.externalExecutionID)
            let execution = try await service.getExecution(started, of: "other", in: scope)
            #expect(execution.variables.first?.resolvedValue == "Fetch" && execution.number == 2)
            try await service.waitForEnd(started, "other", scope)
        }
    }

    @Test("Executions older than a year are forgotten")
    func history() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            try await service.waitForEnd(id, "demo", scope)
            fixture.clock.advance(366 * 86400)
            let second = try await service.startExecution(of: "demo", StartRequest(caller: "me"), in: scope)
            try await service.waitForEnd(second, "demo", scope)
            try await service.tick()
            #expect(try await service.listExecutions(of: "demo", in: scope).items.map(\.id) == [second])
            #expect(try await service.listActionExecutions(of: "demo", in: scope).items.count == 3)
        }
    }
}
