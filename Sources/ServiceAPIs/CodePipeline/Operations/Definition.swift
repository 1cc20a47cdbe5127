import AWSProtocol
import Foundation
import PipelineEngine
import PipelineModel

/// The request shape that holds a whole pipeline.
struct PipelineInput: Decodable, Sendable {
    var pipeline: PipelineDeclaration
    var tags: [Shapes.Tag]?
}

/// The answer to creating and updating a pipeline.
struct PipelineOutput: Encodable, Sendable {
    var pipeline: PipelineDeclaration
    var tags: [Shapes.Tag]?
}

/// The answer to `GetPipeline`.
struct GetPipelineOutput: Encodable, Sendable {
    struct Metadata: Encodable, Sendable {
        var pipelineArn: String
        var created: Date
        var updated: Date
        var pollingDisabledAt: Date?
    }

    var pipeline: PipelineDeclaration
    var metadata: Metadata
}

extension CodePipelineOperations {
    /// Creating, reading, replacing and deleting pipelines.
    func addDefinition(to table: inout JSONOperationTable) {
        table.on("CreatePipeline") { (input: PipelineInput, request: ServiceRequest) -> PipelineOutput in
            let caller = try authorize(request, "CreatePipeline", on: input.pipeline.name)
            let tags = try Self.dictionary(input.tags ?? [])
            let record = try await service.createPipeline(
                input.pipeline, tags: tags, in: caller.scope, caller: caller.arn)
            return PipelineOutput(
                pipeline: record.declaration, tags: input.tags == nil ? nil : Self.list(record.tags))
        }
        table.on("UpdatePipeline") { (input: PipelineInput, request: ServiceRequest) -> PipelineOutput in
            let caller = try authorize(request, "UpdatePipeline", on: input.pipeline.name)
            let record = try await service.updatePipeline(input.pipeline, in: caller.scope, caller: caller.arn)
            return PipelineOutput(pipeline: record.declaration)
        }
        table.on("GetPipeline") { (input: Shapes.GetPipelineInput, request: ServiceRequest) -> GetPipelineOutput in
            let caller = try authorize(request, "GetPipeline", on: input.name)
            let record = try await service.getPipeline(input.name, version: input.version, in: caller.scope)
            return GetPipelineOutput(
                pipeline: record.declaration,
                metadata: .init(
                    pipelineArn: record.arn, created: record.created, updated: record.updated,
                    pollingDisabledAt: record.pollingDisabledAt))
        }
        table.on("DeletePipeline") { (input: Shapes.DeletePipelineInput, request: ServiceRequest) in
            let caller = try authorize(request, "DeletePipeline", on: input.name)
            try await service.deletePipeline(input.name, in: caller.scope)
        }
        table.on("ListPipelines") {
            (input: Shapes.ListPipelinesInput, request: ServiceRequest) -> Shapes.ListPipelinesOutput in
            let caller = try authorize(request, "ListPipelines", on: nil)
            let page = try await service.listPipelines(
                in: caller.scope, limit: input.maxResults, nextToken: input.nextToken)
            return .init(
                pipelines: page.items.map { pipeline in
                    .init(
                        name: pipeline.name, version: pipeline.version, pipelineType: pipeline.type.rawValue,
                        executionMode: pipeline.mode.rawValue, created: pipeline.created, updated: pipeline.updated)
                }, nextToken: page.nextToken)
        }
    }
}
