/// Rules about namespaces, pipeline variables and references to them.
extension StructureRules {
    func checkNamespaces() throws(PipelineError) {
        var seen: [String: String] = [:]
        let artifacts = Set(
            pipeline.stages.flatMap { $0.actions.flatMap { ($0.outputArtifacts ?? []).map(\.name) } })
        var clashes: [String] = []
        for stage in pipeline.stages {
            for declared in stage.actions {
                guard let namespace = declared.namespace else { continue }
                let place = "stage: \(stage.name), action: \(declared.name), namespace: \(namespace)"
                if let other = seen[namespace] {
                    clashes.append("\(place) (also used by \(other))")
                } else if namespace == VariableReference.reservedNamespace
                    || (namespace == VariableReference.pipelineNamespace && pipeline.variables?.isEmpty == false)
                {
                    clashes.append("\(place) (reserved)")
                } else if artifacts.contains(namespace) {
                    clashes.append("\(place) (the name of an artifact)")
                }
                seen[namespace] = "action \(declared.name)"
            }
        }
        if !clashes.isEmpty {
            throw action("Namespaces must be unique and not reserved. Clashes: [\(clashes.joined(separator: "; "))]")
        }
    }

    func checkVariableDeclarations() throws(PipelineError) {
        var seen: Set<String> = []
        for variable in pipeline.variables ?? [] where !seen.insert(variable.name).inserted {
            throw structure("Pipeline variable names must be unique: '\(variable.name)' is declared more than once")
        }
    }

    func checkReferences() throws(PipelineError) {
        var producers: [String: (stage: Int, order: Int)] = [:]
        for (index, stage) in pipeline.stages.enumerated() {
            for declared in stage.actions {
                if let namespace = declared.namespace { producers[namespace] = (index, declared.order) }
            }
        }
        for (index, stage) in pipeline.stages.enumerated() {
            for declared in stage.actions {
                for (key, value) in declared.referencingValues {
                    for reference in VariableText.references(in: value) {
                        let place =
                            "stage: \(stage.name), action: \(declared.name), configuration: \(key), "
                            + "reference: \(reference)"
                        try checkReference(
                            reference, place, isSource: declared.actionTypeId.category == .source
                        ) { namespace in
                            producers[namespace].map {
                                $0.stage < index || ($0.stage == index && $0.order < declared.order)
                            } ?? false
                        }
                    }
                }
            }
            try checkRuleReferences(stage, index, producers)
        }
    }

    private func checkRuleReferences(
        _ stage: StageDeclaration, _ index: Int, _ producers: [String: (stage: Int, order: Int)]
    ) throws(PipelineError) {
        let hooks: [(name: String, conditions: [ConditionDeclaration]?, seesOwnStage: Bool)] = [
            ("beforeEntry", stage.beforeEntry?.conditions, false), ("onSuccess", stage.onSuccess?.conditions, true),
            ("onFailure", stage.onFailure?.conditions, true),
        ]
        for hook in hooks {
            for rule in (hook.conditions ?? []).flatMap({ $0.rules ?? [] }) {
                for (key, value) in (rule.configuration ?? [:]).sorted(by: { $0.key < $1.key }) {
                    for reference in VariableText.references(in: value) {
                        let place =
                            "stage: \(stage.name), \(hook.name) rule: \(rule.name), configuration: \(key), "
                            + "reference: \(reference)"
                        try checkReference(reference, place, isSource: false) { namespace in
                            producers[namespace].map {
                                $0.stage < index || (hook.seesOwnStage && $0.stage == index)
                            } ?? false
                        }
                    }
                }
            }
        }
    }

    private func checkReference(
        _ reference: VariableReference, _ place: String, isSource: Bool, _ runsEarlier: (String) -> Bool
    ) throws(PipelineError) {
        switch reference.namespace {
        case VariableReference.reservedNamespace:
            guard reference.key == "PipelineExecutionId" else {
                throw action(
                    "The namespace codepipeline has only the variable PipelineExecutionId. Invalid reference: [\(place)]"
                )
            }
        case VariableReference.pipelineNamespace where pipeline.variables?.isEmpty == false:
            guard !isSource else {
                throw structure("Pipeline variables cannot be used in source actions. Invalid reference: [\(place)]")
            }
            guard pipeline.variables?.contains(where: { $0.name == reference.key }) == true else {
                throw structure("There is no pipeline variable '\(reference.key)'. Invalid reference: [\(place)]")
            }
        default:
            guard runsEarlier(reference.namespace) else {
                throw action(
                    "References must name the namespace of an action that certainly runs earlier. Invalid "
                        + "reference: [\(place)]")
            }
        }
    }
}
