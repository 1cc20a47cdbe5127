import AWSProtocol
import AccessControl
import Foundation
import HTTPTypes
import PipelineEngine
import PipelineModel

/// `/-/v1/pipelines` and `/-/v1/pipeline`: declarations.
enum PipelineRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/pipelines": list, "GET /-/v1/pipeline": show, "PUT /-/v1/pipeline": put,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListPipelines")
        var items: [PipelineItem] = []
        var token: String?
        repeat {
            let page = try await request.services.pipelines.listPipelines(in: request.scope, nextToken: token)
            for summary in page.items { items.append(try await item(summary.name, request)) }
            token = page.nextToken
        } while token != nil
        return try .json(items)
    }

    /// The declaration in AWS's own members, so that it can be edited and put again.
    @Sendable static func show(_ request: NativeRequest) async throws -> ServiceResponse {
        let name = try request.require("name")
        try request.authorise("GetPipeline", name)
        var version: Int?
        if request.value("version") != nil { version = try request.number("version", default: 1, max: .max) }
        let record = try await request.services.pipelines.getPipeline(name, version: version, in: request.scope)
        var response = try ServiceResponse.json(Done(""))
        response.body = .bytes(try JSON.pretty(record.declaration) + [10])
        return response
    }

    @Sendable static func put(_ request: NativeRequest) async throws -> ServiceResponse {
        let declaration = try PipelineChecks.declaration(try await request.request.body.collect(upTo: 1 << 20))
        try request.authorise("PutPipeline", declaration.name)
        let pipelines = request.services.pipelines
        do {
            _ = try await pipelines.updatePipeline(declaration, in: request.scope, caller: request.principal.arn)
        } catch let error as PipelineError where error.code == .pipelineNotFound {
            _ = try await pipelines.createPipeline(declaration, in: request.scope, caller: request.principal.arn)
        }
        return try .json(try await item(declaration.name, request))
    }

    private static func item(_ name: String, _ request: NativeRequest) async throws -> PipelineItem {
        let record = try await request.services.pipelines.getPipeline(name, in: request.scope)
        let latest = try await request.services.pipelines.listExecutions(of: name, in: request.scope, limit: 1)
        return PipelineItem(
            name: name, version: record.declaration.version ?? 1,
            type: record.declaration.pipelineType?.rawValue ?? "V1", stages: record.declaration.stages.map(\.name),
            created: record.created, updated: record.updated, latest: latest.items.first.map(ExecutionItem.init))
    }
}
