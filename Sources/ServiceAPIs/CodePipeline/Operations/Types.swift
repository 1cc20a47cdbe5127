import AWSProtocol
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// Action types and rule types.
    func addTypes(to table: inout JSONOperationTable) {
        table.on("ListActionTypes") {
            (input: Shapes.ListActionTypesInput, request: ServiceRequest) -> Shapes.ListActionTypesOutput in
            let caller = try authorize(request, "ListActionTypes", on: nil)
            let page = try await service.listActionTypes(
                owner: input.actionOwnerFilter.map { ActionOwner(rawValue: $0) }, in: caller.scope,
                nextToken: input.nextToken)
            return .init(actionTypes: page.items.map(Self.encode), nextToken: page.nextToken)
        }
        table.on("CreateCustomActionType") {
            (input: Shapes.CreateCustomActionTypeInput, request: ServiceRequest)
                -> Shapes.CreateCustomActionTypeOutput in
            let type = Self.decode(input)
            let caller = try authorize(request, "CreateCustomActionType", on: "actiontype:\(type.id)")
            let tags = try Self.dictionary(input.tags ?? [])
            let created = try await service.createCustomActionType(type, tags: tags, in: caller.scope)
            return .init(actionType: Self.encode(created), tags: input.tags == nil ? nil : Self.list(tags))
        }
        table.on("DeleteCustomActionType") { (input: Shapes.DeleteCustomActionTypeInput, request: ServiceRequest) in
            let id = "Custom/\(input.category)/\(input.provider)/\(input.version)"
            let caller = try authorize(request, "DeleteCustomActionType", on: "actiontype:\(id)")
            try await service.deleteCustomActionType(
                category: ActionCategory(rawValue: input.category), provider: input.provider, version: input.version,
                in: caller.scope)
        }
        table.on("ListRuleTypes") {
            (input: Shapes.ListRuleTypesInput, request: ServiceRequest) -> Shapes.ListRuleTypesOutput in
            _ = try authorize(request, "ListRuleTypes", on: nil)
            return .init(ruleTypes: RuleType.builtIn.map(Self.encode))
        }
    }

    private static func decode(_ input: Shapes.CreateCustomActionTypeInput) -> ActionType {
        ActionType(
            id: ActionTypeID(
                category: ActionCategory(rawValue: input.category), owner: .custom, provider: input.provider,
                version: input.version),
            settings: input.settings.map { settings in
                ActionType.Settings(
                    thirdPartyConfigurationUrl: settings.thirdPartyConfigurationUrl,
                    entityUrlTemplate: settings.entityUrlTemplate, executionUrlTemplate: settings.executionUrlTemplate,
                    revisionUrlTemplate: settings.revisionUrlTemplate)
            },
            properties: (input.configurationProperties ?? []).map { property in
                ActionType.Property(
                    name: property.name, required: property.required, key: property.key, secret: property.secret,
                    queryable: property.queryable, description: property.description, type: property.type)
            },
            inputs: .init(input.inputArtifactDetails.minimumCount, input.inputArtifactDetails.maximumCount),
            outputs: .init(input.outputArtifactDetails.minimumCount, input.outputArtifactDetails.maximumCount))
    }

    static func encode(_ id: ActionTypeID) -> Shapes.ActionTypeId {
        .init(
            category: id.category.rawValue, owner: id.owner.rawValue, provider: id.provider, version: id.version)
    }

    private static func encode(_ type: ActionType) -> Shapes.ActionType {
        .init(
            id: encode(type.id),
            settings: type.settings.map { settings in
                .init(
                    thirdPartyConfigurationUrl: settings.thirdPartyConfigurationUrl,
                    entityUrlTemplate: settings.entityUrlTemplate, executionUrlTemplate: settings.executionUrlTemplate,
                    revisionUrlTemplate: settings.revisionUrlTemplate)
            },
            actionConfigurationProperties: type.properties.map { property in
                .init(
                    name: property.name, required: property.required, key: property.key, secret: property.secret,
                    queryable: property.queryable, description: property.description, type: property.type)
            },
            inputArtifactDetails: encode(type.inputs), outputArtifactDetails: encode(type.outputs))
    }

    private static func encode(_ counts: ActionType.ArtifactCounts) -> Shapes.ArtifactDetails {
        .init(minimumCount: counts.minimumCount, maximumCount: counts.maximumCount)
    }

    private static func encode(_ type: RuleType) -> Shapes.RuleType {
        let properties = type.required.map { ($0, true) } + type.optional.map { ($0, false) }
        return .init(
            id: .init(category: "Rule", owner: "AWS", provider: type.provider, version: "1"),
            ruleConfigurationProperties: properties.map { name, isRequired in
                .init(name: name, required: isRequired, key: true, secret: false)
            }, inputArtifactDetails: encode(type.inputs))
    }
}
