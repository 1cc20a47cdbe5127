extension PipelineDeclaration {
    /// Checks the constraints of the service model on every member: lengths, patterns, enumerations, ranges.
    ///
    /// - Throws: ValidationException listing every violation with its path.
    public func validateShape(path: String = "pipeline") throws(PipelineError) {
        var check = ShapeChecker()
        check.text(name, "\(path).name", 1...100, .name)
        check.text(roleArn, "\(path).roleArn", 0...1024, .roleARN)
        artifactStore?.checkShape(&check, "\(path).artifactStore")
        for (region, store) in (artifactStores ?? [:]).sorted(by: { $0.key < $1.key }) {
            if !(4...30).contains(region.utf16.count) {
                check.violate(
                    "\(path).artifactStores", value: region,
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 30, "
                        + "Member must have length greater than or equal to 4]")
            }
            store.checkShape(&check, "\(path).artifactStores.\(region).member")
        }
        for (index, stage) in stages.enumerated() {
            stage.checkShape(&check, "\(path).stages.\(index + 1).member")
        }
        check.number(version, "\(path).version", 1...Int(Int32.max))
        check.enumeration(executionMode, "\(path).executionMode")
        check.enumeration(pipelineType, "\(path).pipelineType")
        check.count(variables?.count, "\(path).variables", 0...50)
        for (index, variable) in (variables ?? []).enumerated() {
            let path = "\(path).variables.\(index + 1).member"
            check.text(variable.name, "\(path).name", 1...128, .namespace)
            check.text(variable.defaultValue, "\(path).defaultValue", 1...1000)
            check.text(variable.description, "\(path).description", 0...200)
        }
        check.count(triggers?.count, "\(path).triggers", 0...50)
        for (index, trigger) in (triggers ?? []).enumerated() {
            trigger.checkShape(&check, "\(path).triggers.\(index + 1).member")
        }
        try check.finish()
    }
}

extension ArtifactStoreDeclaration {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.enumeration(type, "\(path).type", ["S3"])
        check.text(location, "\(path).location", 3...63, .bucket)
        check.text(encryptionKey?.id, "\(path).encryptionKey.id", 1...400)
        check.enumeration(encryptionKey?.type, "\(path).encryptionKey.type", ["KMS"])
    }
}

extension StageDeclaration {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.text(name, "\(path).name", 1...100, .name)
        for (index, blocker) in (blockers ?? []).enumerated() {
            check.text(blocker.name, "\(path).blockers.\(index + 1).member.name", 1...100)
            check.enumeration(blocker.type, "\(path).blockers.\(index + 1).member.type", ["Schedule"])
        }
        for (index, action) in actions.enumerated() {
            action.checkShape(&check, "\(path).actions.\(index + 1).member")
        }
        for (key, hook) in [("beforeEntry", beforeEntry), ("onSuccess", onSuccess)] {
            check.count(hook?.conditions.count, "\(path).\(key).conditions", 1...1)
            checkConditions(hook?.conditions, &check, "\(path).\(key).conditions")
        }
        check.enumeration(onFailure?.result, "\(path).onFailure.result")
        check.enumeration(
            onFailure?.retryConfiguration?.retryMode, "\(path).onFailure.retryConfiguration.retryMode")
        check.count(onFailure?.conditions?.count, "\(path).onFailure.conditions", 1...1)
        checkConditions(onFailure?.conditions, &check, "\(path).onFailure.conditions")
    }

    private func checkConditions(_ list: [ConditionDeclaration]?, _ check: inout ShapeChecker, _ path: String) {
        for (index, condition) in (list ?? []).enumerated() {
            let path = "\(path).\(index + 1).member"
            check.enumeration(condition.result, "\(path).result")
            check.count(condition.rules?.count, "\(path).rules", 1...5)
            for (index, rule) in (condition.rules ?? []).enumerated() {
                rule.checkShape(&check, "\(path).rules.\(index + 1).member")
            }
        }
    }
}

extension RuleDeclaration {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.text(name, "\(path).name", 1...100, .name)
        check.enumeration(ruleTypeId.category, "\(path).ruleTypeId.category", ["Rule"])
        check.enumeration(ruleTypeId.owner, "\(path).ruleTypeId.owner", ["AWS"])
        check.text(ruleTypeId.provider, "\(path).ruleTypeId.provider", 1...35, .provider)
        check.text(ruleTypeId.version, "\(path).ruleTypeId.version", 1...9, .provider)
        check.count(configuration?.count, "\(path).configuration", 0...200)
        check.map(configuration, "\(path).configuration", keys: 1...50, values: 1...10000)
        check.count(commands?.count, "\(path).commands", 1...50)
        for (index, command) in (commands ?? []).enumerated() {
            check.text(command, "\(path).commands.\(index + 1).member", 1...1000)
        }
        for (index, artifact) in (inputArtifacts ?? []).enumerated() {
            check.text(artifact.name, "\(path).inputArtifacts.\(index + 1).member.name", 1...100, .artifactName)
        }
        check.text(roleArn, "\(path).roleArn", 0...1024, .roleARN)
        check.text(region, "\(path).region", 4...30)
        check.number(timeoutInMinutes, "\(path).timeoutInMinutes", 5...86400)
    }
}

extension ActionTypeID {
    /// Checks the constraints of the service model.
    public func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.enumeration(category, "\(path).category")
        check.enumeration(owner, "\(path).owner")
        check.text(provider, "\(path).provider", 1...35, .provider)
        check.text(version, "\(path).version", 1...9, .provider)
    }
}

extension ActionDeclaration {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.text(name, "\(path).name", 1...100, .name)
        actionTypeId.checkShape(&check, "\(path).actionTypeId")
        check.number(runOrder, "\(path).runOrder", 1...999)
        // The documented limit of a value is 1,000; the live service accepts 50,000 and refuses empty values.
        check.map(configuration, "\(path).configuration", keys: 1...50, values: 1...50000)
        check.count(commands?.count, "\(path).commands", 1...50)
        for (index, command) in (commands ?? []).enumerated() {
            check.text(command, "\(path).commands.\(index + 1).member", 1...1000)
        }
        for (index, artifact) in (outputArtifacts ?? []).enumerated() {
            let path = "\(path).outputArtifacts.\(index + 1).member"
            check.text(artifact.name, "\(path).name", 1...100, .artifactName)
            check.count(artifact.files?.count, "\(path).files", 1...10)
            for (index, file) in (artifact.files ?? []).enumerated() {
                check.text(file, "\(path).files.\(index + 1).member", 1...128)
            }
        }
        for (index, artifact) in (inputArtifacts ?? []).enumerated() {
            check.text(artifact.name, "\(path).inputArtifacts.\(index + 1).member.name", 1...100, .artifactName)
        }
        check.count(outputVariables?.count, "\(path).outputVariables", 1...15)
        for (index, variable) in (outputVariables ?? []).enumerated() {
            check.text(variable, "\(path).outputVariables.\(index + 1).member", 1...128)
        }
        check.text(roleArn, "\(path).roleArn", 0...1024, .roleARN)
        check.text(region, "\(path).region", 4...30)
        check.text(namespace, "\(path).namespace", 1...100, .namespace)
        check.number(timeoutInMinutes, "\(path).timeoutInMinutes", 5...86400)
        check.count(environmentVariables?.count, "\(path).environmentVariables", 1...10)
        for (index, variable) in (environmentVariables ?? []).enumerated() {
            let path = "\(path).environmentVariables.\(index + 1).member"
            check.text(variable.name, "\(path).name", 1...128, .environmentName)
            check.text(variable.value, "\(path).value", 1...2000)
            check.enumeration(variable.type, "\(path).type", ["PLAINTEXT", "SECRETS_MANAGER"])
        }
    }
}

extension TriggerDeclaration {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        check.enumeration(providerType, "\(path).providerType", ["CodeStarSourceConnection"])
        let path = "\(path).gitConfiguration"
        check.text(gitConfiguration.sourceActionName, "\(path).sourceActionName", 1...100, .name)
        check.count(gitConfiguration.push?.count, "\(path).push", 1...3)
        for (index, filter) in (gitConfiguration.push ?? []).enumerated() {
            let path = "\(path).push.\(index + 1).member"
            filter.tags?.checkShape(&check, "\(path).tags")
            filter.branches?.checkShape(&check, "\(path).branches")
            filter.filePaths?.checkShape(&check, "\(path).filePaths")
        }
        check.count(gitConfiguration.pullRequest?.count, "\(path).pullRequest", 1...3)
        for (index, filter) in (gitConfiguration.pullRequest ?? []).enumerated() {
            let path = "\(path).pullRequest.\(index + 1).member"
            check.count(filter.events?.count, "\(path).events", 1...3)
            for (index, event) in (filter.events ?? []).enumerated() {
                check.enumeration(event, "\(path).events.\(index + 1).member", ["OPEN", "UPDATED", "CLOSED"])
            }
            filter.branches?.checkShape(&check, "\(path).branches")
            filter.filePaths?.checkShape(&check, "\(path).filePaths")
        }
    }
}

extension GitPatterns {
    fileprivate func checkShape(_ check: inout ShapeChecker, _ path: String) {
        for (key, list) in [("includes", includes), ("excludes", excludes)] {
            check.count(list?.count, "\(path).\(key)", 1...8)
            for (index, pattern) in (list ?? []).enumerated() {
                check.text(pattern, "\(path).\(key).\(index + 1).member", 1...255)
            }
        }
    }
}
