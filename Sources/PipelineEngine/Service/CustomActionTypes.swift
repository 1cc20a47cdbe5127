import Catalog
import Foundation
public import KeyHierarchy
public import PipelineModel

/// Action types that an account declares; their workers poll for jobs.
enum CustomActionTypes {
    static func catalogue(_ transaction: Transaction, _ scope: AccountRegion) throws -> ActionTypeCatalogue {
        let custom: [ActionType] = try transaction.rows(
            """
            SELECT definition_json FROM pipeline_action_types
            WHERE account = ? AND region = ? AND deleted IS NULL ORDER BY id
            """, scope.account, scope.region
        ).map { try JSONText.decode(try $0.string("definition_json")) }
        return custom.isEmpty ? .builtIn : ActionTypeCatalogue(custom: custom)
    }

    static func find(
        _ id: String, _ transaction: Transaction, _ scope: AccountRegion
    ) throws -> (type: ActionType, isDeleted: Bool)? {
        guard
            let row = try transaction.row(
                """
                SELECT definition_json, deleted FROM pipeline_action_types
                WHERE account = ? AND region = ? AND id = ?
                """, scope.account, scope.region, id)
        else { return nil }
        return (try JSONText.decode(try row.string("definition_json")), try row.optionalInt64("deleted") != nil)
    }

    static func validate(_ type: ActionType) throws(PipelineError) {
        var check = ShapeChecker()
        type.id.checkShape(&check, "")
        for (name, counts) in [("inputArtifactDetails", type.inputs), ("outputArtifactDetails", type.outputs)] {
            check.number(counts.minimumCount, "\(name).minimumCount", 0...5)
            check.number(counts.maximumCount, "\(name).maximumCount", 0...5)
        }
        check.count(type.properties.count, "configurationProperties", 0...10)
        for (index, property) in type.properties.enumerated() {
            let path = "configurationProperties.\(index + 1).member"
            check.text(property.name, "\(path).name", 1...50)
            check.text(property.description, "\(path).description", 1...160)
            check.enumeration(property.type, "\(path).type", ["String", "Number", "Boolean"])
        }
        try check.finish()
        func refuse(_ message: String) -> PipelineError { PipelineError(.validation, message) }
        guard type.inputs.minimumCount <= type.inputs.maximumCount,
            type.outputs.minimumCount <= type.outputs.maximumCount
        else { throw refuse("minimumCount may not be larger than maximumCount") }
        if type.id.category == .source, type.inputs.maximumCount > 0 {
            throw refuse("A source action type has no input artifacts")
        }
        let queryable = type.properties.filter { $0.queryable == true }
        if queryable.count > 1 { throw refuse("At most one configuration property may be queryable") }
        if let property = queryable.first, !property.required || property.secret {
            throw refuse("The queryable property '\(property.name)' must be required and not secret")
        }
        let names = type.properties.map(\.name)
        if Set(names).count < names.count { throw refuse("Names of configuration properties must be unique") }
    }
}

extension PipelineService {
    /// Declares an action type of the account.
    ///
    /// - Throws: ValidationException, LimitExceededException, tag errors.
    public func createCustomActionType(
        _ type: ActionType, tags: [String: String] = [:], in scope: AccountRegion
    ) async throws -> ActionType {
        var custom = type
        custom.id.owner = .custom
        try CustomActionTypes.validate(custom)
        try Tags.validate(tags)
        let declared = custom
        return try await write { transaction, _ in
            let id = declared.id.description
            if let known = try CustomActionTypes.find(id, transaction, scope) {
                guard known.isDeleted, known.type == declared else {
                    throw PipelineError(
                        .validation,
                        known.isDeleted
                            ? "The version '\(declared.id.version)' was used before with another definition; use a new "
                                + "version" : "The action type \(id) exists already; use a new version")
                }
            } else {
                let count = try transaction.row(
                    """
                    SELECT COUNT(*) AS total FROM pipeline_action_types
                    WHERE account = ? AND region = ? AND deleted IS NULL
                    """, scope.account, scope.region)
                if try count?.int("total") ?? 0 >= 50 {
                    throw PipelineError(.limitExceeded, "At most 50 custom action types are allowed in one region")
                }
            }
            try transaction.execute(
                """
                INSERT INTO pipeline_action_types (account, region, id, deleted, definition_json)
                VALUES (?, ?, ?, NULL, ?) ON CONFLICT (account, region, id) DO UPDATE SET deleted = NULL
                """, scope.account, scope.region, id, try JSONText.encode(declared))
            try Tags.set(
                tags, on: "arn:aws:codepipeline:\(scope.region):\(scope.account):actiontype:\(id)", transaction)
            return (declared, Aftermath())
        }
    }

    /// Marks an action type as deleted. Succeeds for an unknown one.
    public func deleteCustomActionType(
        category: ActionCategory, provider: String, version: String, in scope: AccountRegion
    ) async throws {
        let id = ActionTypeID(category: category, owner: .custom, provider: provider, version: version)
        let time = environment.now()
        try await write { transaction, _ in
            try transaction.execute(
                "UPDATE pipeline_action_types SET deleted = ? WHERE account = ? AND region = ? AND id = ?", time,
                scope.account, scope.region, id.description)
            return ((), Aftermath())
        }
    }

    /// The action types that pipelines here may name.
    ///
    /// - Throws: InvalidNextTokenException.
    public func listActionTypes(
        owner: ActionOwner? = nil, in scope: AccountRegion, nextToken: String? = nil
    ) async throws -> Page<ActionType> {
        let binding = "ListActionTypes|\(owner?.rawValue ?? "")"
        let start = Int(try PagingToken.openNumber(nextToken, binding) ?? 0)
        let all = try await catalog.read { try CustomActionTypes.catalogue($0, scope).all }
            .filter { owner == nil || $0.id.owner == owner }
        let rows = Array(all.enumerated().dropFirst(start).prefix(101))
        return PagingToken.page(rows.map { (offset: $0.offset, type: $0.element) }, 100, binding) {
            String($0.offset + 1)
        }.map(\.type)
    }
}
