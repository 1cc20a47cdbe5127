import AWSProtocol
import AccessControl
import PipelineEngine
import PipelineModel

/// `/-/v1/executions` and `/-/v1/execution`: looking at executions and changing their course.
enum ExecutionRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/executions": list, "GET /-/v1/execution": show, "POST /-/v1/execution/start": start,
        "POST /-/v1/execution/stop": stop, "POST /-/v1/execution/retry": retry,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        let pipeline = try request.require("pipeline")
        try request.authorise("ListExecutions", pipeline)
        var left = try request.number("limit", default: 20, max: 10_000)
        var items: [ExecutionItem] = []
        var token: String?
        repeat {
            let page = try await request.services.pipelines.listExecutions(
                of: pipeline, in: request.scope, limit: min(left, 100), nextToken: token)
            items += page.items.map(ExecutionItem.init)
            left -= page.items.count
            token = page.nextToken
        } while token != nil && left > 0
        return try .json(items)
    }

    @Sendable static func show(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetExecution", try request.require("pipeline"))
        return try .json(try await request.executions.answer(try await request.namedExecution()))
    }

    @Sendable static func start(_ request: NativeRequest) async throws -> ServiceResponse {
        let pipeline = try request.require("pipeline")
        try request.authorise("StartExecution", pipeline)
        let body: StartBody = try await request.decode()
        let id = try await request.services.pipelines.startExecution(
            of: pipeline,
            StartRequest(
                caller: request.principal.arn, variables: body.variables,
                overrides: body.revisions.map {
                    SourceRevisionOverride(actionName: $0.action, revisionType: $0.type, revisionValue: $0.value)
                }, clientRequestToken: body.clientToken),
            in: request.scope)
        return try .json(try await reference(id, pipeline, request))
    }

    @Sendable static func stop(_ request: NativeRequest) async throws -> ServiceResponse {
        let pipeline = try request.require("pipeline")
        try request.authorise("StopExecution", pipeline)
        let body: StopBody = try await request.decode()
        let execution = try await request.namedExecution()
        try await request.services.pipelines.stopExecution(
            execution.id, of: pipeline, abandon: body.abandon, reason: body.reason, in: request.scope)
        return try .json(ExecutionRef(pipeline: pipeline, id: execution.id, number: execution.number))
    }

    @Sendable static func retry(_ request: NativeRequest) async throws -> ServiceResponse {
        let pipeline = try request.require("pipeline")
        try request.authorise("RetryStage", pipeline)
        let body: RetryBody = try await request.decode()
        let execution = try await request.namedExecution()
        var stage = body.stage
        if stage == nil {
            let answer = try await request.executions.answer(execution)
            stage = answer.stages.last { $0.status == "Failed" || $0.status == "Stopped" }?.name
        }
        guard let stage else {
            throw NativeError(
                409, "NothingToRetry", "no stage of execution \(execution.number) failed or was stopped")
        }
        try await request.services.pipelines.retryStage(
            stage, execution: execution.id, of: pipeline, mode: body.allActions ? .allActions : .failedActions,
            in: request.scope)
        return try .json(ExecutionRef(pipeline: pipeline, id: execution.id, number: execution.number))
    }

    private static func reference(_ id: String, _ pipeline: String, _ request: NativeRequest) async throws
        -> ExecutionRef
    {
        let execution = try await request.services.pipelines.getExecution(id, of: pipeline, in: request.scope)
        return ExecutionRef(pipeline: pipeline, id: id, number: execution.number)
    }
}
