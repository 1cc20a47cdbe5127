/// The structural rules: how the parts of a well-shaped declaration must fit together. Each function is one group of
/// rules; the first violation is thrown.
struct StructureRules {
    let pipeline: PipelineDeclaration
    let context: ValidationContext

    var isV1: Bool { pipeline.pipelineType == .v1 }

    func check() throws(PipelineError) {
        try checkStores()
        try checkPipeline()
        for stage in pipeline.stages { try checkStage(stage) }
        for stage in pipeline.stages {
            for action in stage.actions { try checkAction(action, in: stage) }
        }
        try checkArtifactFlow()
        try checkNamespaces()
        try checkVariableDeclarations()
        try checkReferences()
        try checkTriggers()
    }

    // MARK: Stores

    private func checkStores() throws(PipelineError) {
        switch (pipeline.artifactStore, pipeline.artifactStores) {
        case (nil, nil):
            throw structure("The pipeline needs an artifactStore, or artifactStores with one entry for each region")
        case (.some, .some):
            throw structure("The pipeline may have either artifactStore or artifactStores, not both")
        case (nil, .some(let stores)):
            for region in Set(regions() + [context.region]).sorted() where stores[region] == nil {
                throw structure("artifactStores must have an entry for the region \(region), which the pipeline uses")
            }
        case (.some, nil):
            if let region = regions().first(where: { $0 != context.region }) {
                throw structure(
                    "An action runs in the region \(region): use artifactStores with entries for \(context.region) "
                        + "and \(region) instead of artifactStore")
            }
        }
    }

    private func regions() -> [String] { pipeline.stages.flatMap { $0.actions.compactMap(\.region) } }

    // MARK: Pipeline

    private func checkPipeline() throws(PipelineError) {
        guard pipeline.stages.count >= 2 else {
            throw structure("Pipeline has \(pipeline.stages.count) stage(s). There should be a minimum of 2 stages")
        }
        guard pipeline.stages.count <= 50 else {
            throw structure("Pipeline has \(pipeline.stages.count) stages. There should be a maximum of 50 stages")
        }
        guard let first = pipeline.stages.first, !first.actions.isEmpty,
            first.actions.allSatisfy({ $0.actionTypeId.category == .source })
        else {
            throw structure("Pipeline should start with a stage that only contains source actions")
        }
        for stage in pipeline.stages.dropFirst() {
            if let source = stage.actions.first(where: { $0.actionTypeId.category == .source }) {
                throw structure(
                    "Source action '\(source.name)' is in stage '\(stage.name)': source actions may only be in the "
                        + "first stage")
            }
        }
        guard pipeline.stages.dropFirst().contains(where: { !$0.actions.isEmpty }) else {
            throw structure("Pipeline must contain at least one action that is not a source action")
        }
        if pipeline.stages.reduce(0, { $0 + $1.actions.count }) > 1000 {
            throw PipelineError(.limitExceeded, "A pipeline may have at most 1000 actions")
        }
        if isV1 { try checkV1() }
    }

    private func checkV1() throws(PipelineError) {
        if pipeline.variables?.isEmpty == false {
            throw structure("Pipeline variables need pipelineType V2")
        }
        if pipeline.triggers?.isEmpty == false { throw structure("Triggers need pipelineType V2") }
        if pipeline.mode != .superseded {
            throw structure("Execution mode \(pipeline.mode) needs pipelineType V2")
        }
    }

    // MARK: Stages

    private func checkStage(_ stage: StageDeclaration) throws(PipelineError) {
        if pipeline.stages.count(where: { $0.name == stage.name }) > 1 {
            throw self.stage("Stage names must be unique in a pipeline: '\(stage.name)' occurs more than once")
        }
        if let blocker = stage.blockers?.first {
            throw PipelineError(
                .invalidBlocker, "Stage '\(stage.name)' declares the blocker '\(blocker.name)': blockers are reserved")
        }
        guard !stage.actions.isEmpty else { throw self.stage("Stage '\(stage.name)' has no actions") }
        guard stage.actions.count <= 50 else {
            throw self.stage("Stage '\(stage.name)' has \(stage.actions.count) actions; at most 50 are allowed")
        }
        let names = stage.actions.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw action("Action names must be unique in a stage: '\(twice)' occurs more than once in '\(stage.name)'")
        }
        try checkConditions(stage)
    }

    private func checkConditions(_ stage: StageDeclaration) throws(PipelineError) {
        let where_ = "Stage '\(stage.name)'"
        if isV1, stage.beforeEntry != nil || stage.onSuccess != nil || stage.onFailure != nil {
            throw self.stage("\(where_): stage conditions need pipelineType V2")
        }
        if let failure = stage.onFailure {
            if failure.result != nil, failure.conditions?.isEmpty == false {
                throw self.stage("\(where_): onFailure may have either a result or conditions, not both")
            }
            if failure.retryConfiguration != nil, failure.conditions?.isEmpty == false {
                throw self.stage("\(where_): an automatic retry cannot be combined with onFailure conditions")
            }
            if let result = failure.result, result != .rollback && result != .retry {
                throw self.stage("\(where_): the result of onFailure must be ROLLBACK or RETRY, not \(result)")
            }
            if failure.result != .retry, failure.retryConfiguration != nil {
                throw self.stage("\(where_): retryConfiguration needs the onFailure result RETRY")
            }
        }
        try checkConditions(stage.beforeEntry?.conditions, "beforeEntry", [.fail, .skip], where_)
        try checkConditions(stage.onSuccess?.conditions, "onSuccess", [.fail, .rollback], where_)
        try checkConditions(stage.onFailure?.conditions, "onFailure", [.rollback, .fail], where_)
        let rollsBack =
            stage.onFailure?.result == .rollback
            || [stage.onSuccess?.conditions, stage.onFailure?.conditions].contains { list in
                list?.contains { $0.result == .rollback } == true
            }
        if rollsBack, pipeline.mode == .parallel {
            throw self.stage("\(where_): ROLLBACK is not available in the execution mode PARALLEL")
        }
        if rollsBack, stage.name == pipeline.stages.first?.name {
            throw self.stage("\(where_): the source stage cannot be rolled back")
        }
    }

    private func checkConditions(
        _ conditions: [ConditionDeclaration]?, _ hook: String, _ allowed: [ConditionResult], _ where_: String
    ) throws(PipelineError) {
        for condition in conditions ?? [] {
            if let result = condition.result, !allowed.contains(result) {
                throw stage(
                    "\(where_): the result of a \(hook) condition must be one of "
                        + "\(allowed.map(\.rawValue).joined(separator: ", ")), not \(result)")
            }
            guard let rules = condition.rules, !rules.isEmpty else {
                throw stage("\(where_): a \(hook) condition needs at least one rule")
            }
            for rule in rules { try checkRule(rule, condition, hook, where_) }
        }
    }

    private func checkRule(
        _ rule: RuleDeclaration, _ condition: ConditionDeclaration, _ hook: String, _ where_: String
    ) throws(PipelineError) {
        let provider = rule.ruleTypeId.provider
        guard let type = RuleType.builtIn.first(where: { $0.provider == provider }) else {
            throw stage(
                "\(where_), rule '\(rule.name)': there is no rule provider '\(provider)'; known are "
                    + RuleType.builtIn.map(\.provider).joined(separator: ", "))
        }
        if condition.result == .skip, provider != "LambdaInvoke", provider != "VariableCheck" {
            throw stage(
                "\(where_), rule '\(rule.name)': SKIP allows only the rules LambdaInvoke and VariableCheck")
        }
        let present = Set((rule.configuration ?? [:]).keys)
        if let missing = type.required.first(where: { !present.contains($0) }) {
            throw stage("\(where_), rule '\(rule.name)': the configuration key '\(missing)' is required")
        }
        if let unknown = present.subtracting(type.required + type.optional).sorted().first {
            throw stage("\(where_), rule '\(rule.name)': unknown configuration key '\(unknown)' for \(provider)")
        }
        if provider == "VariableCheck", let name = rule.configuration?["Operator"],
            !["EQ", "NE", "CONTAINS", "MATCHES"].contains(name)
        {
            throw stage(
                "\(where_), rule '\(rule.name)': Operator must be EQ, NE, CONTAINS or MATCHES, not '\(name)'")
        }
        guard context.ruleProviders.contains(provider) else {
            throw stage(
                "\(where_), rule '\(rule.name)': the rule provider '\(provider)' is not available on this server; "
                    + "available are \(context.ruleProviders.sorted().joined(separator: ", "))")
        }
    }

    func structure(_ message: String) -> PipelineError { PipelineError(.invalidStructure, message) }
    func stage(_ message: String) -> PipelineError { PipelineError(.invalidStage, message) }
    func action(_ message: String) -> PipelineError { PipelineError(.invalidAction, message) }
}
