import Foundation
import PipelineModel
import Testing

/// A declaration that breaks one rule.
struct Violation: CustomTestStringConvertible, Sendable {
    var name: String
    var code: PipelineError.Code
    var text: String
    var change: @Sendable (inout PipelineDeclaration) -> Void
    var testDescription: String { name }

    init(
        _ name: String, _ code: PipelineError.Code, _ text: String = "",
        _ change: @escaping @Sendable (inout PipelineDeclaration) -> Void
    ) {
        self.name = name
        self.code = code
        self.text = text
        self.change = change
    }
}

let structuralViolations: [Violation] = [
    Violation("no store", .invalidStructure) { $0.artifactStore = nil },
    Violation("both stores", .invalidStructure) {
        $0.artifactStores = ["us-east-1": .init(location: "demo-artifacts")]
    },
    Violation("no store for the region", .invalidStructure, "us-east-1") {
        $0.artifactStore = nil
        $0.artifactStores = ["eu-west-1": .init(location: "demo-artifacts")]
    },
    Violation("an action elsewhere with one store", .invalidStructure, "eu-west-1") {
        $0.stages[1].actions[0].region = "eu-west-1"
    },
    Violation("one stage", .invalidStructure, "minimum of 2") { $0.stages.removeLast() },
    Violation("51 stages", .invalidStructure, "maximum of 50") {
        for number in 0..<49 {
            $0.stages.append(StageDeclaration(name: "S\(number)", actions: [Samples.approval()]))
        }
    },
    Violation("no source in the first stage", .invalidStructure, "source actions") {
        $0.stages[0].actions.append(Samples.approval())
    },
    Violation("a source later", .invalidStructure, "first stage") {
        $0.stages[1].actions.append(Samples.source("Late", output: "Other"))
    },
    Violation("stage names twice", .invalidStage, "more than once") { $0.stages[1].name = "Source" },
    Violation("an empty stage", .invalidStage) { $0.stages.append(StageDeclaration(name: "Empty", actions: [])) },
    Violation("action names twice", .invalidAction) { $0.stages[1].actions.append(Samples.approval()) },
    Violation("an unknown type", .invalidAction, "US_EAST_1") {
        $0.stages[1].actions[0].actionTypeId.provider = "Nonsense"
    },
    Violation("too few inputs", .invalidAction, "fewer than the minimum") {
        $0.stages[1].actions = [Samples.build(inputs: [])]
    },
    Violation("too many outputs", .invalidAction, "more than the maximum") {
        $0.stages[0].actions[0].outputArtifacts?.append(.init(name: "More"))
    },
    Violation("a required key is missing", .invalidAction, "S3ObjectKey") {
        $0.stages[0].actions[0].configuration = ["S3Bucket": "in"]
    },
    Violation("an unknown key", .invalidAction, "Colour") {
        $0.stages[0].actions[0].configuration?["Colour"] = "red"
    },
    Violation("a mask without a secret", .invalidAction, "OAuthToken") {
        $0.stages[0].actions[0].actionTypeId = ActionTypeID(category: .source, owner: .thirdParty, provider: "GitHub")
        $0.stages[0].actions[0].configuration = ["Owner": "o", "Repo": "r", "Branch": "b", "OAuthToken": "****"]
    },
    Violation("an artifact produced twice", .invalidAction, "unique") {
        $0.stages[0].actions.append(Samples.source("Second"))
    },
    Violation("an input nobody produces", .invalidAction, "Ghost") {
        $0.stages[1].actions = [Samples.build(inputs: ["Ghost"])]
    },
    Violation("an input of the same group", .invalidAction, "runOrder") {
        $0.stages[1].actions = [Samples.build(), Samples.build("Two", inputs: ["App"], outputs: ["Two"])]
    },
    Violation("a namespace twice", .invalidAction, "Namespaces") {
        $0.stages[0].actions[0].namespace = "N"
        $0.stages[1].actions[0].namespace = "N"
    },
    Violation("a reserved namespace", .invalidAction) { $0.stages[0].actions[0].namespace = "codepipeline" },
    Violation("a namespace like an artifact", .invalidAction) { $0.stages[0].actions[0].namespace = "Src" },
    Violation("a reference to nothing", .invalidAction, "#{Ghost.x}") {
        $0.stages[1].actions[0].configuration = ["CustomData": "say #{Ghost.x}"]
    },
    Violation("an unknown pipeline variable", .invalidStructure, "nope") {
        $0.pipelineType = .v2
        $0.variables = [.init(name: "known")]
        $0.stages[1].actions[0].configuration = ["CustomData": "#{variables.nope}"]
    },
    Violation("a pipeline variable in a source", .invalidStructure, "source actions") {
        $0.pipelineType = .v2
        $0.variables = [.init(name: "key")]
        $0.stages[0].actions[0].configuration?["S3ObjectKey"] = "#{variables.key}"
    },
    Violation("variable names twice", .invalidStructure) {
        $0.pipelineType = .v2
        $0.variables = [.init(name: "a"), .init(name: "a")]
    },
    Violation("variables in V1", .invalidStructure) {
        $0.pipelineType = .v1
        $0.variables = [.init(name: "a")]
    },
    Violation("QUEUED in V1", .invalidStructure) {
        $0.pipelineType = .v1
        $0.executionMode = .queued
    },
    Violation("conditions in V1", .invalidStage) {
        $0.pipelineType = .v1
        $0.stages[1].onFailure = FailureConditions(result: .retry)
    },
    Violation("result and conditions", .invalidStage) {
        $0.stages[1].onFailure = FailureConditions(
            result: .rollback, conditions: [ConditionDeclaration(result: .rollback, rules: [check])])
    },
    Violation("ROLLBACK in PARALLEL", .invalidStage) {
        $0.executionMode = .parallel
        $0.stages[1].onFailure = FailureConditions(result: .rollback)
    },
    Violation("RETRY as entry result", .invalidStage) {
        $0.stages[1].beforeEntry = StageConditions(conditions: [.init(result: .retry, rules: [check])])
    },
    Violation("a rule that cannot be evaluated here", .invalidStage, "not available") {
        let rule = RuleDeclaration(
            name: "alarm", ruleTypeId: RuleTypeID(provider: "CloudWatchAlarm"), configuration: ["AlarmName": "a"])
        $0.stages[1].beforeEntry = StageConditions(conditions: [.init(result: .fail, rules: [rule])])
    },
    Violation("a blocker", .invalidBlocker) {
        let json = #"{"name":"Gate","actions":[],"blockers":[{"name":"b","type":"Schedule"}]}"#
        if let stage = try? JSONDecoder().decode(StageDeclaration.self, from: Data(json.utf8)) {
            $0.stages[1].blockers = stage.blockers
        }
    },
    Violation("a trigger of another source", .invalidStructure, "CodeStarSourceConnection") {
        $0.triggers = [TriggerDeclaration(gitConfiguration: GitConfiguration(sourceActionName: "Fetch"))]
    },
    Violation("a topic elsewhere", .invalidAction, "us-east-1") {
        $0.stages[1].actions[0].configuration = ["NotificationArn": "arn:aws:sns:eu-west-1:111122223333:t"]
    },
    Violation("a source elsewhere", .invalidAction, "eu-west-1") {
        $0.artifactStore = nil
        $0.artifactStores = [
            "us-east-1": .init(location: "demo-artifacts"), "eu-west-1": .init(location: "other-artifacts"),
        ]
        $0.stages[0].actions[0].region = "eu-west-1"
    },
    Violation("commands for CodeBuild", .invalidAction, "commands") {
        var action = Samples.build()
        action.commands = ["make"]
        $0.stages[1].actions = [action]
    },
    Violation("a V2 provider in V1", .invalidAction, "V2") {
        $0.pipelineType = .v1
        $0.stages[1].actions = [
            ActionDeclaration(
                name: "Run", actionTypeId: ActionTypeID(category: .compute, provider: "Commands"), commands: ["true"],
                inputArtifacts: [.init(name: "Src")])
        ]
    },
]

private let check = RuleDeclaration(
    name: "check", ruleTypeId: RuleTypeID(provider: "VariableCheck"),
    configuration: ["Variable": "#{codepipeline.PipelineExecutionId}", "Value": "x", "Operator": "NE"])

let shapeViolations: [(String, String, @Sendable (inout PipelineDeclaration) -> Void)] = [
    ("pipeline.name", "[A-Za-z0-9.@\\-_]+", { $0.name = "no blanks" }),
    ("pipeline.name", "less than or equal to 100", { $0.name = String(repeating: "a", count: 101) }),
    ("pipeline.roleArn", "regular expression", { $0.roleArn = "role" }),
    ("pipeline.artifactStore.type", "[S3]", { $0.artifactStore?.type = "GCS" }),
    ("pipeline.artifactStore.location", "greater than or equal to 3", { $0.artifactStore?.location = "ab" }),
    ("pipeline.stages.2.member.actions.1.member.runOrder", "999", { $0.stages[1].actions[0].runOrder = 1000 }),
    (
        "pipeline.stages.2.member.actions.1.member.configuration", "Map value",
        { $0.stages[1].actions[0].configuration = ["CustomData": ""] }
    ),
    (
        "pipeline.stages.1.member.actions.1.member.actionTypeId.category", "enum value set",
        { $0.stages[0].actions[0].actionTypeId.category = ActionCategory(rawValue: "Sauce") }
    ),
    ("pipeline.executionMode", "SUPERSEDED", { $0.executionMode = ExecutionMode(rawValue: "FAST") }),
    ("pipeline.variables", "50", { $0.variables = (0..<51).map { .init(name: "v\($0)") } }),
]

@Suite("Validation of declarations")
struct ValidationTests {
    let context = ValidationContext(region: "us-east-1")

    @Test("The smallest pipeline is accepted and normalised")
    func smallest() throws {
        let valid = try Samples.pipeline().validated(in: context)
        #expect(valid.pipelineType == .v1)
        #expect(valid.executionMode == .superseded)
        let gate = valid.stages[1].actions[0]
        #expect(gate.runOrder == 1 && gate.configuration == [:])
        #expect(gate.inputArtifacts == [] && gate.outputArtifacts == [])
    }

    @Test("Each structural rule refuses with its code", arguments: structuralViolations)
    func structure(_ violation: Violation) {
        let pipeline = Samples.pipeline(violation.change)
        let error = #expect(throws: PipelineError.self) { try pipeline.validated(in: context) }
        #expect(error?.code == violation.code)
        if let message = error?.message { #expect(violation.text.isEmpty || message.contains(violation.text)) }
    }

    @Test("Each shape constraint refuses with the path of the member", arguments: shapeViolations.indices)
    func shape(_ index: Int) {
        let (path, text, change) = shapeViolations[index]
        let pipeline = Samples.pipeline(change)
        let error = #expect(throws: PipelineError.self) { try pipeline.validated(in: context) }
        #expect(error?.code == .validation)
        #expect(error?.message.contains("at '\(path)' failed to satisfy constraint") == true)
        #expect(error?.message.contains(text) == true)
    }

    @Test("Several shape violations are counted and joined")
    func several() {
        let pipeline = Samples.pipeline {
            $0.name = "a b"
            $0.roleArn = "x"
        }
        let error = #expect(throws: PipelineError.self) { try pipeline.validated(in: context) }
        #expect(error?.message.hasPrefix("2 validation errors detected: ") == true)
        #expect(error?.message.contains("; ") == true)
    }

    @Test("Anything only V2 has makes a pipeline V2")
    func resolvesType() throws {
        #expect(try Samples.pipeline { $0.variables = [.init(name: "a")] }.validated(in: context).pipelineType == .v2)
        #expect(try Samples.pipeline { $0.executionMode = .queued }.validated(in: context).pipelineType == .v2)
        var stored = ValidationContext(region: "us-east-1")
        stored.previous = Samples.pipeline { $0.pipelineType = .v2 }
        #expect(try Samples.pipeline().validated(in: stored).pipelineType == .v2)
    }

    @Test("A masked secret keeps the stored value of the same action")
    func secrets() throws {
        let declared = Samples.pipeline {
            $0.stages[0].actions[0].actionTypeId = ActionTypeID(
                category: .source, owner: .thirdParty, provider: "GitHub")
            $0.stages[0].actions[0].configuration = ["Owner": "o", "Repo": "r", "Branch": "b", "OAuthToken": "token"]
        }
        let stored = try declared.validated(in: context)
        let shown = stored.masked(catalogue: .builtIn)
        #expect(shown.stages[0].actions[0].configuration?["OAuthToken"] == "****")
        var update = context
        update.previous = stored
        let again = try shown.validated(in: update)
        #expect(again.stages[0].actions[0].configuration?["OAuthToken"] == "token")
        var changed = shown
        changed.stages[0].actions[0].configuration?["Branch"] = "other"
        #expect(throws: PipelineError.self) { try changed.validated(in: update) }
    }

    @Test("A connection source of a V2 pipeline gets its default trigger")
    func defaultTrigger() throws {
        let pipeline = Samples.pipeline {
            $0.pipelineType = .v2
            $0.stages[0].actions[0].actionTypeId.provider = "CodeStarSourceConnection"
            $0.stages[0].actions[0].configuration = [
                "ConnectionArn": "arn", "FullRepositoryId": "o/r", "BranchName": "main",
            ]
        }
        let valid = try pipeline.validated(in: context)
        #expect(valid.triggers?.first?.gitConfiguration.push?.first?.branches?.includes == ["main"])
    }
}

@Suite("Declarations on the wire")
struct CodingTests {
    @Test("A full declaration survives decoding and encoding")
    func roundTrip() throws {
        let pipeline = Samples.pipeline {
            $0.pipelineType = .v2
            $0.variables = [.init(name: "a", defaultValue: "b", description: "c")]
            $0.triggers = [
                TriggerDeclaration(
                    gitConfiguration: GitConfiguration(
                        sourceActionName: "Fetch", push: [GitPushFilter(tags: GitPatterns(includes: ["v*"]))],
                        pullRequest: [GitPullRequestFilter(events: ["OPEN"])]))
            ]
            $0.stages[1].onFailure = FailureConditions(
                result: .retry, retryConfiguration: RetryConfiguration(retryMode: .allActions))
            $0.stages[1].actions[0].environmentVariables = [EnvironmentVariable(name: "A", value: "b")]
        }
        let data = try JSONEncoder().encode(pipeline)
        #expect(try JSONDecoder().decode(PipelineDeclaration.self, from: data) == pipeline)
        #expect(String(decoding: data, as: UTF8.self).contains("\"retryMode\":\"ALL_ACTIONS\""))
    }

    @Test("A missing member becomes a ValidationException with its path")
    func missing() {
        let json = #"{"name":"p","roleArn":"r","stages":[{"name":"S","actions":[{"name":"A"}]}]}"#
        let error = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(PipelineDeclaration.self, from: Data(json.utf8))
        }
        guard let error else { return }
        let refusal = PipelineError(error, prefix: "pipeline")
        #expect(refusal.code == .validation)
        #expect(refusal.message.contains("'pipeline.stages.1.member.actions.1.member.actionTypeId'"))
    }
}

@Suite("Variable references")
struct VariableTests {
    @Test(
        "References are replaced, everything else is left alone",
        arguments: [
            ("plain", "plain"), ("#{a.b}", "1"), ("x#{a.b}y#{a.c}z", "x1y2z"), ("#{a}", "#{a}"), ("#{a.b", "#{a.b"),
            ("##{a.b}", "#1"), ("${a.b} #x", "${a.b} #x"), ("#{a b.c}", "#{a b.c}"), ("é#{a.b}", "é1"),
        ])
    func resolves(_ text: String, _ expected: String) throws {
        let values = ["b": "1", "c": "2"]
        #expect(try VariableText.resolve(text) { $0.namespace == "a" ? values[$0.key] : nil } == expected)
    }

    @Test("A reference without a value is named")
    func unresolved() {
        let error = #expect(throws: UnresolvedVariable.self) { try VariableText.resolve("x #{a.b}") { _ in nil } }
        #expect(error?.reference.description == "#{a.b}")
    }
}

@Suite("The table of action types")
struct CatalogueTests {
    @Test("Types are unique, and sources take nothing and make one artifact")
    func table() {
        let all = ActionTypeCatalogue.builtIn.all
        #expect(Set(all.map(\.id)).count == all.count)
        for type in all where type.id.category == .source {
            #expect(type.inputs.maximumCount == 0 && type.outputs.minimumCount == 1)
        }
        let build = ActionTypeCatalogue.builtIn[ActionTypeID(category: .build, provider: "CodeBuild")]
        #expect(build?.properties.first { $0.name == "ProjectName" }?.required == true)
        #expect(
            ActionTypeCatalogue.builtIn[
                ActionTypeID(category: .source, owner: .thirdParty, provider: "GitHub")]?.secretKeys == ["OAuthToken"])
    }
}
