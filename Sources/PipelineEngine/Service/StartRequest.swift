import Catalog
import Foundation
import PipelineModel

/// What an execution is to be started with.
public struct StartRequest: Sendable {
    /// What starts it.
    public var trigger: ExecutionTrigger
    /// Values for pipeline variables.
    public var variables: [String: String]
    /// Revisions for source actions.
    public var overrides: [SourceRevisionOverride]
    /// Makes repeating the request return the same execution for 24 hours.
    public var clientRequestToken: String?
    /// Nobody waits for an answer: what is wrong makes a failed execution instead of an error.
    var isAutomatic = false

    /// A request of a person or program.
    public init(
        caller: String, variables: [String: String] = [:], overrides: [SourceRevisionOverride] = [],
        clientRequestToken: String? = nil
    ) {
        trigger = ExecutionTrigger(type: "StartPipelineExecution", detail: caller)
        self.variables = variables
        self.overrides = overrides
        self.clientRequestToken = clientRequestToken
    }

    init(trigger: ExecutionTrigger, isAutomatic: Bool) {
        self.trigger = trigger
        variables = [:]
        overrides = []
        self.isAutomatic = isAutomatic
    }

    /// Tells two requests with the same token apart.
    func fingerprint() throws -> String {
        try JSONText.encode([
            variables.sorted { $0.key < $1.key }.map { [$0.key, $0.value] },
            overrides.map { [$0.actionName, $0.revisionType, $0.revisionValue] },
        ])
    }
}

/// Starting executions.
extension Ledger {
    /// Starts an execution.
    ///
    /// - Throws: ValidationException for variables and overrides that do not fit the pipeline, ConflictException for a
    ///   token that was used for something else, ConcurrentPipelineExecutionsLimitExceededException.
    /// - Returns: the id of the execution; nil when an automatic start finds no capacity.
    func start(_ request: StartRequest) throws -> String? {
        if let token = request.clientRequestToken, let known = try executionStarted(by: token, request) {
            return known
        }
        let declaration = try declaration()
        var execution = ExecutionRow(
            id: context.environment.makeID(), pipeline: row.id, number: 0, version: row.version, mode: row.mode,
            kind: .standard, trigger: request.trigger, started: time, variables: [], overrides: request.overrides)
        switch prepare(request, declaration) {
        case .success(let variables):
            execution.variables = variables
        case .failure(let error):
            guard request.isAutomatic else { throw error }
            execution.number = try takeNumber()
            execution.status = .failed
            execution.summary = error.message
            try execution.insert(transaction)
            try record(.execution, "STARTED", execution: execution)
            try record(.execution, "FAILED", execution: execution, message: error.message)
            return execution.id
        }
        if request.isAutomatic, row.mode != .superseded, machine.liveCount >= PipelineMachine.liveLimit { return nil }
        execution.number = try takeNumber()
        try execution.insert(transaction)
        if let token = request.clientRequestToken {
            try transaction.execute(
                """
                INSERT INTO pipeline_start_tokens (pipeline, token, execution, fingerprint, created)
                VALUES (?, ?, ?, ?, ?)
                """, row.id, token, execution.id, try request.fingerprint(), time)
        }
        try apply(.start(id: execution.id, number: execution.number))
        return execution.id
    }

    private func prepare(
        _ request: StartRequest, _ declaration: PipelineDeclaration
    ) -> Result<[ResolvedVariable], PipelineError> {
        do throws(PipelineError) {
            try checkOverrides(request.overrides, declaration)
            return .success(try resolveVariables(request.variables, declaration))
        } catch {
            return .failure(error)
        }
    }

    private func executionStarted(by token: String, _ request: StartRequest) throws -> String? {
        let horizon = time.addingTimeInterval(-24 * 3600)
        try transaction.execute(
            "DELETE FROM pipeline_start_tokens WHERE pipeline = ? AND created < ?", row.id, horizon)
        guard
            let known = try transaction.row(
                "SELECT execution, fingerprint FROM pipeline_start_tokens WHERE pipeline = ? AND token = ?", row.id,
                token)
        else { return nil }
        guard try known.string("fingerprint") == (try request.fingerprint()) else {
            throw PipelineError(
                .conflict, "The clientRequestToken was used within 24 hours for a start with other parameters")
        }
        return try known.string("execution")
    }

    private func resolveVariables(
        _ given: [String: String], _ declaration: PipelineDeclaration
    ) throws(PipelineError) -> [ResolvedVariable] {
        let declared = declaration.variables ?? []
        if let unknown = given.keys.sorted().first(where: { name in !declared.contains { $0.name == name } }) {
            throw PipelineError(.validation, "The pipeline '\(row.name)' has no variable '\(unknown)'")
        }
        var resolved: [ResolvedVariable] = []
        for variable in declared {
            guard let value = given[variable.name] ?? variable.defaultValue else {
                throw PipelineError(
                    .validation,
                    "The variable '\(variable.name)' of pipeline '\(row.name)' has no default value: give one at start")
            }
            resolved.append(ResolvedVariable(name: variable.name, resolvedValue: value))
        }
        return resolved
    }

    private func checkOverrides(
        _ overrides: [SourceRevisionOverride], _ declaration: PipelineDeclaration
    ) throws(PipelineError) {
        guard !overrides.isEmpty else { return }
        guard row.type == .v2 else {
            throw PipelineError(.validation, "Source revision overrides need pipelineType V2")
        }
        for override in overrides {
            guard let action = declaration.stages.first?.actions.first(where: { $0.name == override.actionName })
            else {
                throw PipelineError(.validation, "There is no source action '\(override.actionName)' to override")
            }
            let allowed: [String] =
                switch action.actionTypeId.provider {
                case "CodeCommit", "CodeStarSourceConnection", "GitHub": ["COMMIT_ID"]
                case "ECR": ["IMAGE_DIGEST"]
                case "S3":
                    action.configuration?["AllowOverrideForS3ObjectKey"]?.lowercased() == "true"
                        ? ["S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"] : ["S3_OBJECT_VERSION_ID"]
                default: []
                }
            guard allowed.contains(override.revisionType) else {
                throw PipelineError(
                    .validation,
                    "The source action '\(override.actionName)' does not take the revision type "
                        + "'\(override.revisionType)'; allowed: \(allowed.joined(separator: ", "))")
            }
        }
    }
}
