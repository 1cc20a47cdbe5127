/// Everything besides the declaration itself that structural validation depends on.
public struct ValidationContext: Sendable {
    /// The pipeline's region.
    public var region: String
    /// The types that actions may name.
    public var actionTypes: ActionTypeCatalogue
    /// Providers of condition rules that can be evaluated here.
    public var ruleProviders: Set<String>
    /// The stored declaration that an update replaces, with its secrets.
    public var previous: PipelineDeclaration?

    /// A context.
    public init(
        region: String, actionTypes: ActionTypeCatalogue = .builtIn, ruleProviders: Set<String> = ["VariableCheck"],
        previous: PipelineDeclaration? = nil
    ) {
        self.region = region
        self.actionTypes = actionTypes
        self.ruleProviders = ruleProviders
        self.previous = previous
    }
}

extension PipelineDeclaration {
    /// Validates a declaration and returns it in the normalised form that is stored and answered: type resolved,
    /// defaults filled in, masked secrets replaced by the stored ones, the version left as it is.
    ///
    /// Order: shape, stores, pipeline, stages, actions, artifact flow, variables, triggers; stops at the first failure.
    /// - Throws: ValidationException, InvalidStructureException, InvalidStageDeclarationException,
    ///   InvalidActionDeclarationException or InvalidBlockerDeclarationException.
    public func validated(in context: ValidationContext) throws(PipelineError) -> PipelineDeclaration {
        try validateShape()
        var declaration = self
        declaration.pipelineType = resolvedType(catalogue: context.actionTypes, previous: context.previous)
        try declaration.restoreSecrets(from: context.previous, catalogue: context.actionTypes)
        try StructureRules(pipeline: declaration, context: context).check()
        declaration.fillDefaults()
        return declaration
    }

    /// The pipeline type: the one given; else the stored one; else V2 when anything only V2 has is used; else V1.
    func resolvedType(catalogue: ActionTypeCatalogue, previous: PipelineDeclaration?) -> PipelineType {
        if let pipelineType { return pipelineType }
        if let stored = previous?.pipelineType { return stored }
        let usesV2 =
            variables?.isEmpty == false || triggers?.isEmpty == false || mode != .superseded
            || stages.contains { stage in
                stage.beforeEntry != nil || stage.onSuccess != nil || stage.onFailure != nil
                    || stage.actions.contains { catalogue[$0.actionTypeId]?.needsV2 == true }
            }
        return usesV2 ? .v2 : .v1
    }

    /// Fills in what responses always contain.
    mutating func fillDefaults() {
        executionMode = mode
        for stage in stages.indices {
            for action in stages[stage].actions.indices {
                stages[stage].actions[action].runOrder = stages[stage].actions[action].order
                stages[stage].actions[action].configuration = stages[stage].actions[action].configuration ?? [:]
                stages[stage].actions[action].inputArtifacts = stages[stage].actions[action].inputArtifacts ?? []
                stages[stage].actions[action].outputArtifacts = stages[stage].actions[action].outputArtifacts ?? []
            }
        }
        if pipelineType == .v2, (triggers ?? []).isEmpty { addDefaultTriggers() }
    }

    /// The service adds a push trigger for each connection source of a V2 pipeline that detects changes.
    private mutating func addDefaultTriggers() {
        let added = (stages.first?.actions ?? []).compactMap { action -> TriggerDeclaration? in
            guard action.actionTypeId.provider == "CodeStarSourceConnection",
                action.configuration?["DetectChanges"]?.lowercased() != "false",
                let branch = action.configuration?["BranchName"]
            else { return nil }
            return TriggerDeclaration(
                gitConfiguration: GitConfiguration(
                    sourceActionName: action.name, push: [GitPushFilter(branches: GitPatterns(includes: [branch]))]))
        }
        if !added.isEmpty { triggers = added }
    }
}

/// Secret values in responses, and their way back.
extension PipelineDeclaration {
    /// What stands for a secret value in every response except those to job workers.
    public static let secretMask = "****"

    /// The declaration as responses show it: secret values masked.
    public func masked(catalogue: ActionTypeCatalogue) -> PipelineDeclaration {
        var result = self
        for stage in stages.indices {
            for action in stages[stage].actions.indices {
                result.stages[stage].actions[action].configuration = stages[stage].actions[action]
                    .maskedConfiguration(catalogue: catalogue)
            }
        }
        return result
    }

    /// Replaces masks by the stored values of the same action in the same stage, otherwise unchanged.
    mutating func restoreSecrets(
        from previous: PipelineDeclaration?, catalogue: ActionTypeCatalogue
    ) throws(PipelineError) {
        for stage in stages.indices {
            for index in stages[stage].actions.indices {
                var action = stages[stage].actions[index]
                guard let type = catalogue[action.actionTypeId] else { continue }
                let masked = type.secretKeys.filter { action.configuration?[$0] == Self.secretMask }
                guard !masked.isEmpty else { continue }
                let stored = previous?.action(action.name, in: stages[stage].name)
                func without(_ configuration: [String: String]?) -> [String: String] {
                    (configuration ?? [:]).filter { !masked.contains($0.key) }
                }
                guard let stored, stored.actionTypeId == action.actionTypeId,
                    without(stored.configuration) == without(action.configuration)
                else {
                    throw PipelineError(
                        .invalidAction,
                        "Action '\(action.name)' in stage '\(stages[stage].name)' gives the mask "
                            + "'\(Self.secretMask)' for \(masked.sorted().joined(separator: ", ")), but there is no "
                            + "stored value to keep: name the secret again")
                }
                for key in masked { action.configuration?[key] = stored.configuration?[key] }
                stages[stage].actions[index] = action
            }
        }
    }
}

extension ActionDeclaration {
    /// The configuration with secret values masked.
    public func maskedConfiguration(catalogue: ActionTypeCatalogue) -> [String: String]? {
        guard let secrets = catalogue[actionTypeId]?.secretKeys, !secrets.isEmpty else { return configuration }
        return configuration.map { map in
            Dictionary(
                uniqueKeysWithValues: map.map { key, value in
                    (key, secrets.contains(key) ? PipelineDeclaration.secretMask : value)
                })
        }
    }
}
