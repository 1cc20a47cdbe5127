/// Rules about single actions and what flows between them.
extension StructureRules {
    func checkAction(_ declared: ActionDeclaration, in stage: StageDeclaration) throws(PipelineError) {
        let id = declared.actionTypeId
        let region = declared.region ?? context.region
        guard let type = context.actionTypes[id] else {
            throw action(
                "ActionType (Category: '\(id.category)', Provider: '\(id.provider)', Owner: '\(id.owner)', Version: "
                    + "'\(id.version)') in action '\(declared.name)' is not available in region "
                    + region.uppercased().replacing("-", with: "_"))
        }
        if isV1, type.needsV2 {
            throw action("Action '\(declared.name)': the provider \(id.provider) needs pipelineType V2")
        }
        try checkCounts(declared, type)
        try checkConfiguration(declared, type)
        if region != context.region, id.category == .source || id.owner != .aws {
            throw action(
                "Action '\(declared.name)' cannot run in the region \(region): source, third-party and custom actions "
                    + "run in the pipeline's region \(context.region)")
        }
        if id == .manualApproval, let topic = declared.configuration?["NotificationArn"], !topic.contains("#{") {
            try checkTopic(topic, declared)
        }
    }

    private func checkCounts(_ declared: ActionDeclaration, _ type: ActionType) throws(PipelineError) {
        for (word, count, limits) in [
            ("input", declared.inputArtifacts?.count ?? 0, type.inputs),
            ("output", declared.outputArtifacts?.count ?? 0, type.outputs),
        ] {
            if count < limits.minimumCount {
                throw action(
                    "Action '\(declared.name)' has \(count) \(word) artifacts which is fewer than the minimum "
                        + "required \(limits.minimumCount) (provider \(type.id.provider))")
            }
            if count > limits.maximumCount {
                throw action(
                    "Action '\(declared.name)' has \(count) \(word) artifacts which is more than the maximum "
                        + "allowed \(limits.maximumCount) (provider \(type.id.provider))")
            }
        }
        let names = (declared.inputArtifacts ?? []).map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw action("Action '\(declared.name)' names the input artifact '\(twice)' more than once")
        }
    }

    private func checkConfiguration(_ declared: ActionDeclaration, _ type: ActionType) throws(PipelineError) {
        let configuration = declared.configuration ?? [:]
        for property in type.properties where property.required && configuration[property.name] == nil {
            throw action(
                "Action configuration for action '\(declared.name)' is missing required configuration "
                    + "'\(property.name)'")
        }
        let known = Set(type.properties.map(\.name))
        if let unknown = configuration.keys.sorted().first(where: { !known.contains($0) }) {
            throw action(
                "Action configuration for action '\(declared.name)' contains unknown configuration '\(unknown)'; "
                    + "\(type.id.provider) knows \(known.sorted().joined(separator: ", "))")
        }
        for property in type.properties where property.queryable == true {
            let value = configuration[property.name] ?? ""
            if value.count > 20 || !ShapePattern.provider.matches(value) {
                throw action(
                    "Action '\(declared.name)': the queryable value of '\(property.name)' may have at most 20 letters, "
                        + "digits, '_' and '-'")
            }
        }
        let isCommands = type.id.provider == "Commands" && type.id.owner == .aws
        if isCommands, (declared.commands ?? []).isEmpty {
            throw action("Action '\(declared.name)' of provider Commands needs commands")
        }
        if !isCommands {
            let extras: [(String, Bool)] = [
                ("commands", declared.commands != nil), ("outputVariables", declared.outputVariables != nil),
                ("outputArtifacts.files", declared.outputArtifacts?.contains { $0.files != nil } == true),
            ]
            if let (name, _) = extras.first(where: \.1) {
                throw action("Action '\(declared.name)': \(name) is only for the provider Commands")
            }
            if declared.environmentVariables?.contains(where: { $0.type == "SECRETS_MANAGER" }) == true {
                throw action(
                    "Action '\(declared.name)': environment variables of type SECRETS_MANAGER are only for the "
                        + "provider Commands")
            }
        }
        if type.id.provider == "CodeBuild", (declared.inputArtifacts?.count ?? 0) > 1,
            configuration["PrimarySource"] == nil
        {
            throw action(
                "Action configuration for action '\(declared.name)' is missing required configuration "
                    + "'PrimarySource', which names one of its input artifacts")
        }
    }

    private func checkTopic(_ topic: String, _ declared: ActionDeclaration) throws(PipelineError) {
        let parts = topic.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "sns", parts[3] == context.region, !parts[5].isEmpty
        else {
            throw action(
                "Action '\(declared.name)': NotificationArn must be the ARN of an SNS topic in the region "
                    + context.region)
        }
    }

    // MARK: Artifact flow

    func checkArtifactFlow() throws(PipelineError) {
        var producers: [String: (stage: Int, order: Int)] = [:]
        for (index, stage) in pipeline.stages.enumerated() {
            for declared in stage.actions {
                for output in declared.outputArtifacts ?? [] {
                    if producers.updateValue((index, declared.order), forKey: output.name) != nil {
                        throw action(
                            "Output Artifact Bundle name must be unique within the pipeline. '\(output.name)' is "
                                + "produced more than once, last by action '\(declared.name)'")
                    }
                }
            }
        }
        for (index, stage) in pipeline.stages.enumerated() {
            for declared in stage.actions {
                for input in declared.inputArtifacts ?? [] {
                    guard let producer = producers[input.name] else {
                        throw action(
                            "Input Artifact Bundle '\(input.name)' in action '\(declared.name)' is not declared as "
                                + "output artifact in any of the preceding actions")
                    }
                    guard producer.stage < index || (producer.stage == index && producer.order < declared.order) else {
                        throw action(
                            "Input Artifact Bundle '\(input.name)' in action '\(declared.name)' is produced by an "
                                + "action that does not run before it: move the producer to an earlier stage or give "
                                + "it a lower runOrder")
                    }
                }
            }
        }
    }

    // MARK: Triggers

    func checkTriggers() throws(PipelineError) {
        var seen: Set<String> = []
        for trigger in pipeline.triggers ?? [] {
            let name = trigger.gitConfiguration.sourceActionName
            let source = pipeline.stages.first?.actions.first { $0.name == name }
            guard source?.actionTypeId.provider == "CodeStarSourceConnection" else {
                throw structure(
                    "The trigger's sourceActionName '\(name)' must be a CodeStarSourceConnection source action of "
                        + "this pipeline")
            }
            guard seen.insert(name).inserted else {
                throw structure("There is more than one trigger for the source action '\(name)'")
            }
            let push = trigger.gitConfiguration.push ?? []
            let pullRequest = trigger.gitConfiguration.pullRequest ?? []
            if Set(push).count < push.count || Set(pullRequest).count < pullRequest.count {
                throw structure("The trigger of the source action '\(name)' has the same filter twice")
            }
        }
    }
}
