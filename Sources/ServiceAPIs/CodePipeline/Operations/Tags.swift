import AWSProtocol
import PipelineEngine
import PipelineModel

extension CodePipelineOperations {
    /// Tags of pipelines and custom action types.
    func addTags(to table: inout JSONOperationTable) {
        table.on("TagResource") { (input: Shapes.TagResourceInput, request: ServiceRequest) in
            let caller = try authorizeTagging(request, "TagResource", input.resourceArn)
            try await service.tag(input.resourceArn, try Self.dictionary(input.tags), in: caller.scope)
        }
        table.on("UntagResource") { (input: Shapes.UntagResourceInput, request: ServiceRequest) in
            let caller = try authorizeTagging(request, "UntagResource", input.resourceArn)
            try await service.untag(input.resourceArn, keys: input.tagKeys, in: caller.scope)
        }
        table.on("ListTagsForResource") {
            (input: Shapes.ListTagsForResourceInput, request: ServiceRequest) -> Shapes.ListTagsForResourceOutput in
            let caller = try authorizeTagging(request, "ListTagsForResource", input.resourceArn)
            guard input.nextToken == nil else {
                throw PipelineError(.invalidNextToken, "All tags come in one page, so no token continues the list.")
            }
            return .init(tags: Self.list(try await service.tags(of: input.resourceArn, in: caller.scope)))
        }
    }

    /// Authorises by the part of the ARN that names the resource; whether it exists is the engine's to say.
    private func authorizeTagging(_ request: ServiceRequest, _ operation: String, _ arn: String) throws -> Caller {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        return try authorize(request, operation, on: parts.count == 6 ? String(parts[5]) : nil)
    }

    static func dictionary(_ tags: [Shapes.Tag]) throws -> [String: String] {
        var found: [String: String] = [:]
        for tag in tags {
            guard found.updateValue(tag.value, forKey: tag.key) == nil else {
                throw PipelineError(.invalidTags, "The tag key '\(tag.key)' is given twice; keys must be unique.")
            }
        }
        return found
    }

    static func list(_ tags: [String: String]) -> [Shapes.Tag] {
        tags.sorted { $0.key < $1.key }.map { Shapes.Tag(key: $0.key, value: $0.value) }
    }
}
