import ArtifactStore
import Catalog
import Foundation
import ObjectStorage
import PipelineModel
import Synchronization
import Testing

@testable import PipelineEngine

@Suite("The pipeline service")
struct ServiceTests {
    @Test("An execution runs through all stages; artifacts are versions and objects")
    func runs() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            let record = try await service.createPipeline(Pipelines.three(), tags: ["a": "b"], in: scope, caller: "me")
            #expect(record.declaration.version == 1)
            #expect(record.arn == "arn:aws:codepipeline:us-east-1:111122223333:demo")
            let first = try await service.listExecutions(of: "demo", in: scope).items[0]
            #expect(first.trigger == ExecutionTrigger(type: "CreatePipeline", detail: "me"))
            let ended = try await service.waitForEnd(first.id, "demo", scope)
            #expect(ended.status == .succeeded && ended.number == 1)
            #expect(ended.revisions.map(\.revision.id) == ["r1"])
            #expect(ended.revisions.first?.artifactName == "SourceArtifact")
            let actions = try await service.listActionExecutions(of: "demo", execution: first.id, in: scope).items
            #expect(actions.map(\.actionName) == ["Ship", "Make", "Fetch"])
            let make = actions[1]
            #expect(make.configuration["ProjectName"] == "p-#{Src.Made}")
            #expect(make.resolvedConfiguration["ProjectName"] == "p-Fetch")
            #expect(make.inputs.first?.version == actions[2].outputs.first?.version)
            #expect(make.inputs.first?.version != nil)
            let key = try #require(actions[2].outputs.first?.objectKey)
            #expect(key.wholeMatch(of: /demo\/SourceArti\/[A-Za-z0-9]{7}\.zip/) != nil)
            let object = try await fixture.objects.head(bucket: "demo-artifacts", key: key, versionID: nil)
            #expect(object.content == actions[2].outputs.first?.version)
            let version = try await fixture.store.version(try #require(make.outputs.first?.version))
            #expect(version.draft.executionNumber == 1 && version.draft.stage == "Build")
            let state = try await service.pipelineState("demo", in: scope)
            #expect(state.stages.map(\.latest?.status) == [.succeeded, .succeeded, .succeeded])
            #expect(state.stages[0].actions[0].revision?.id == "r1")
            #expect(state.stages[2].actions[0].latest?.progress.summary == "done Ship")
        }
    }

    @Test("A missing bucket fails the action and says which bucket to create")
    func missingBucket() async throws {
        let fixture = try await EngineFixture(bucket: nil)
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            #expect(try await service.waitForEnd(id, "demo", scope).status == .failed)
            let action = try await service.listActionExecutions(of: "demo", in: scope).items[0]
            #expect(action.error?.code == "ConfigurationError")
            #expect(action.error?.message.contains("demo-artifacts") == true)
            // Made meanwhile, a retry succeeds.
            try await fixture.objects.createBucket("demo-artifacts", in: scope)
            let sequence = try await service.pipelineState("demo", in: scope).sequence
            try await service.retryStage("Source", execution: id, of: "demo", mode: .failedActions, in: scope)
            let again = try await service.waitForEnd(id, "demo", scope, after: sequence)
            #expect(again.status == .succeeded && again.attempt == 2)
        }
    }

    @Test("A provider without runner, and a reference without value, fail the action with a configuration error")
    func configurationErrors() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            let pipeline = Pipelines.three {
                var lambda = Pipelines.deploy("Call")
                lambda.actionTypeId = ActionTypeID(category: .invoke, provider: "Lambda")
                lambda.configuration = ["FunctionName": "f"]
                var vague = Pipelines.deploy("Vague")
                vague.configuration?["ObjectKey"] = "#{Src.Nothing}"
                $0.stages[2].actions = [lambda, vague]
            }
            _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            #expect(try await service.waitForEnd(id, "demo", scope).status == .failed)
            let actions = try await service.listActionExecutions(of: "demo", in: scope).items
            #expect(actions.prefix(2).map(\.error?.code) == ["ConfigurationError", "ConfigurationError"])
            let messages = actions.prefix(2).compactMap(\.error?.message).joined()
            #expect(messages.contains("no runner") && messages.contains("#{Src.Nothing}"))
        }
    }

    @Test("What a runner throws becomes the action's error", arguments: [true, false])
    func failures(_ isExpected: Bool) async throws {
        struct Broken: Error {}
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        fixture.runner.on("Make") { _, _ in
            if isExpected { throw ActionFailure(.jobFailed, "tests failed", externalExecutionID: "b:1") }
            throw Broken()
        }
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            let ended = try await service.waitForEnd(id, "demo", scope)
            #expect(ended.status == .failed && ended.statusSummary?.contains("'Make'") == true)
            let make = try await service.listActionExecutions(of: "demo", in: scope).items[0]
            #expect(make.error?.code == (isExpected ? "JobFailed" : "SystemUnavailable"))
            #expect(make.progress.externalExecutionID == (isExpected ? "b:1" : nil))
        }
    }

    @Test("Approvals wait, are answered once, with the right token")
    func approvals() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.gated(), in: scope, caller: "me")
            try await service.wait("gated", scope) { $0.action == "Ok" && $0.state == "STARTED" }
            let pending = try await service.pendingApprovals(in: scope)
            #expect(pending.count == 1 && pending[0].customData == "please")
            let token = pending[0].token
            let state = try await service.pipelineState("gated", in: scope)
            #expect(state.stages[1].actions[0].latest?.approvalToken == token)
            func answer(_ token: String, action: String = "Ok", stage: String = "Gate") async throws {
                _ = try await service.putApprovalResult(
                    approved: true, summary: "fine", token: token, action: action, stage: stage, of: "gated",
                    in: scope, caller: "arn:me")
            }
            await expectRefusal(.invalidApprovalToken) { try await answer(UUID().uuidString.lowercased()) }
            await expectRefusal(.stageNotFound) { try await answer(token, stage: "None") }
            await expectRefusal(.actionNotFound) { try await answer(token, action: "None") }
            try await answer(token)
            #expect(try await service.waitForEnd(pending[0].executionID, "gated", scope).status == .succeeded)
            await expectRefusal(.approvalCompleted) { try await answer(token) }
            let action = try await service.listActionExecutions(of: "gated", in: scope).items[0]
            #expect(action.progress.summary == "fine" && action.updatedBy == "arn:me")
            #expect(action.progress.externalExecutionID == token)
        }
    }

    @Test("A rejected approval, and one that nobody answers, fail the stage", arguments: [true, false])
    func unapproved(_ isRejected: Bool) async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.gated(), in: scope, caller: "me")
            try await service.wait("gated", scope) { $0.action == "Ok" && $0.state == "STARTED" }
            let pending = try await service.pendingApprovals(in: scope)[0]
            if isRejected {
                _ = try await service.putApprovalResult(
                    approved: false, summary: "no", token: pending.token, action: "Ok", stage: "Gate", of: "gated",
                    in: scope, caller: "arn:me")
            } else {
                fixture.clock.advance(7 * 86400 + 1)
                try await service.tick()
                await expectRefusal(.invalidApprovalToken) {
                    _ = try await service.putApprovalResult(
                        approved: true, summary: "", token: pending.token, action: "Ok", stage: "Gate", of: "gated",
                        in: scope, caller: "arn:me")
                }
            }
            #expect(try await service.waitForEnd(pending.executionID, "gated", scope).status == .failed)
        }
    }

    @Test("An abandoned job is cancelled and can publish nothing any more")
    func abandon() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let started = Gate()
        let late = Mutex<(any Error)?>(nil)
        let finished = Gate()
        fixture.runner.on("Make") { job, context in
            started.open()
            do { try await Task.sleep(for: .seconds(3600)) } catch {}
            do {
                // Cancellation does not reach this task: it tries in earnest.
                try await Task.detached { _ = try await FakeRunner.publishAll(job, context) }.value
            } catch {
                late.withLock { $0 = error }
            }
            finished.open()
            return ActionOutcome()
        }
        try await fixture.running(fixture.service()) { service in
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
            let id = try await service.listExecutions(of: "demo", in: scope).items[0].id
            await started.pass()
            try await service.stopExecution(id, of: "demo", abandon: true, reason: "enough", in: scope)
            let ended = try await service.waitForEnd(id, "demo", scope)
            #expect(ended.status == .stopped && ended.stopReason == "enough")
            await finished.pass()
        }
        #expect(late.withLock { $0 } is LostLease)
        let made = try await fixture.rows("SELECT version FROM pipeline_outputs WHERE name = 'App'")
        #expect(try made.map { try $0.optionalString("version") } == [nil])
    }

    @Test("A worker whose lease ran out cannot publish once another has taken the job")
    func fencing() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let slow = fixture.service(configure: { $0.isSoleOwner = false })
        let fast = fixture.service(configure: { $0.isSoleOwner = false })
        _ = try await slow.createPipeline(Pipelines.three(), in: scope, caller: "me")
        let id = try await fixture.rows("SELECT id FROM pipeline_jobs")[0].string("id")
        func claim(_ service: PipelineService) async throws -> ActionJob? {
            let owner = service.owner
            return try await service.write { transaction, context in
                (try JobLease.claim(id, owner: owner, transaction, context), Aftermath())
            }
        }
        let first = try #require(try await claim(slow))
        #expect(try await claim(fast) == nil)
        fixture.clock.advance(61)
        let second = try #require(try await claim(fast))
        #expect(second.fencingToken > first.fencingToken)
        await #expect(throws: LostLease.self) {
            _ = try await FakeRunner.publishAll(first, JobContext(service: slow, job: first))
        }
        _ = try await FakeRunner.publishAll(second, JobContext(service: fast, job: second))
        await #expect(throws: LostLease.self) {
            try await JobContext(service: slow, job: first).report(summary: "still here")
        }
    }

    @Test("Repeating a request token starts nothing new; using it for something else is a conflict")
    func requestToken() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let service = fixture.service()
        let pipeline = Pipelines.three { $0.variables = [.init(name: "colour", defaultValue: "red")] }
        _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
        let request = StartRequest(caller: "me", variables: ["colour": "blue"], clientRequestToken: "t-1")
        let id = try await service.startExecution(of: "demo", request, in: scope)
        #expect(try await service.startExecution(of: "demo", request, in: scope) == id)
        #expect(
            try await service.getExecution(id, of: "demo", in: scope).variables
                == [ResolvedVariable(name: "colour", resolvedValue: "blue")])
        await expectRefusal(.conflict) {
            var other = request
            other.variables = [:]
            _ = try await service.startExecution(of: "demo", other, in: scope)
        }
        await expectRefusal(.validation) {
            _ = try await service.startExecution(
                of: "demo", StartRequest(caller: "me", variables: ["size": "1"]), in: scope)
        }
        fixture.clock.advance(25 * 3600)
        #expect(try await service.startExecution(of: "demo", request, in: scope) != id)
    }

    @Test("Polling starts an execution for each new revision, unless the action says not to", arguments: [true, false])
    func polling(_ isPolled: Bool) async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        fixture.poller.set("r1")
        try await fixture.running(fixture.service()) { service in
            let pipeline = Pipelines.three {
                if !isPolled { $0.stages[0].actions[0].configuration?["PollForSourceChanges"] = "false" }
            }
            _ = try await service.createPipeline(pipeline, in: scope, caller: "me")
            let first = try await service.listExecutions(of: "demo", in: scope).items[0].id
            try await service.waitForEnd(first, "demo", scope)
            try await service.pollSources()
            #expect(try await service.listExecutions(of: "demo", in: scope).items.count == 1)
            fixture.poller.set("r2")
            try await service.pollSources()
            try await service.pollSources()
            let all = try await service.listExecutions(of: "demo", in: scope).items
            #expect(all.count == (isPolled ? 2 : 1))
            if isPolled {
                #expect(all[0].trigger == ExecutionTrigger(type: "PollForSourceChanges", detail: "Fetch"))
            }
        }
    }

    @Test("An update makes a version; older ones stay; numbers go on after deletion")
    func definitions() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let service = fixture.service()
        _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
        await expectRefusal(.pipelineNameInUse) {
            _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
        }
        var changed = Pipelines.three()
        changed.stages[1].name = "Compile"
        #expect(try await service.updatePipeline(changed, in: scope, caller: "me").declaration.version == 2)
        #expect(
            try await service.getPipeline("demo", version: 1, in: scope).declaration.stages[1].name == "Build")
        #expect(try await service.getPipeline("demo", in: scope).declaration.stages[1].name == "Compile")
        await expectRefusal(.pipelineVersionNotFound) {
            _ = try await service.getPipeline("demo", version: 3, in: scope)
        }
        await expectRefusal(.pipelineNotFound) {
            _ = try await service.updatePipeline(Pipelines.three("other"), in: scope, caller: "me")
        }
        try await service.deletePipeline("demo", in: scope)
        try await service.deletePipeline("demo", in: scope)
        for table in ["pipelines", "versions", "executions", "actions", "outputs", "jobs", "changes", "passages"] {
            #expect(try await fixture.rows("SELECT * FROM pipeline_\(table)").isEmpty, "\(table)")
        }
        _ = try await service.createPipeline(Pipelines.three(), in: scope, caller: "me")
        #expect(try await service.listExecutions(of: "demo", in: scope).items.map(\.number) == [2])
    }

    @Test("Lists come in pages whose tokens belong to their request")
    func pages() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let service = fixture.service()
        for name in ["c", "a", "b"] {
            _ = try await service.createPipeline(Pipelines.three(name), in: scope, caller: "me")
        }
        let first = try await service.listPipelines(in: scope, limit: 2)
        #expect(first.items.map(\.name) == ["a", "b"])
        let second = try await service.listPipelines(in: scope, limit: 2, nextToken: first.nextToken)
        #expect(second.items.map(\.name) == ["c"] && second.nextToken == nil)
        await expectRefusal(.invalidNextToken) {
            _ = try await service.listExecutions(of: "a", in: scope, nextToken: first.nextToken)
        }
        await expectRefusal(.invalidNextToken) { _ = try await service.listPipelines(in: scope, nextToken: "x") }
        for _ in 0..<3 { _ = try await service.startExecution(of: "a", StartRequest(caller: "me"), in: scope) }
        let newest = try await service.listExecutions(of: "a", in: scope, limit: 3)
        #expect(newest.items.map(\.number) == [4, 3, 2])
        let oldest = try await service.listExecutions(of: "a", in: scope, limit: 3, nextToken: newest.nextToken)
        #expect(oldest.items.map(\.number) == [1])
    }

    @Test("Tags are kept, replaced and removed, and refused when they break the rules")
    func tags() async throws {
        let fixture = try await EngineFixture()
        let scope = fixture.scope
        let service = fixture.service()
        let arn = try await service.createPipeline(Pipelines.three(), tags: ["a": "1"], in: scope, caller: "me").arn
        try await service.tag(arn, ["a": "2", "b": "3"], in: scope)
        try await service.untag(arn, keys: ["b", "none"], in: scope)
        #expect(try await service.tags(of: arn, in: scope) == ["a": "2"])
        await expectRefusal(.invalidTags) { try await service.tag(arn, ["aws:x": ""], in: scope) }
        await expectRefusal(.invalidArn) { try await service.tag("demo", [:], in: scope) }
        await expectRefusal(.resourceNotFound) { _ = try await service.tags(of: arn + "x", in: scope) }
        await expectRefusal(.tooManyTags) {
            try await service.tag(arn, Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)", "") }), in: scope)
        }
    }
}

/// Expects a refusal with a code.
func expectRefusal(
    _ code: PipelineError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("nothing was refused; expected \(code.rawValue)", sourceLocation: sourceLocation)
    } catch let error as PipelineError {
        #expect(error.code == code, sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}
