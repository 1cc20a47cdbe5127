public import AWSProtocol
public import AccessControl
public import PipelineEngine
import PipelineModel

/// AWS CodePipeline (2015-07-09) over the pipeline engine: JSON 1.1, all 44 operations.
///
/// Operations that have no counterpart here say so with `NotImplementedException`; those about things that cannot exist
/// here, such as partners' jobs, answer that there is no such thing.
public struct CodePipelineFront: ServiceFront {
    private let table: JSONOperationTable

    /// Makes the front.
    /// - Parameters:
    ///   - pipelines: the engine.
    ///   - access: authorises callers and makes jobs' credentials.
    ///   - report: told of faults of ours.
    public init(
        pipelines: PipelineService, access: AccessControl,
        report: @escaping @Sendable (any Error, ServiceRequest) -> Void = { _, _ in }
    ) {
        var table = JSONOperationTable(
            shapes: CodePipelineShapes.table,
            mapError: { error in
                (error as? PipelineError).map { AWSError($0.code.rawValue, $0.message) }
            }, report: report)
        let operations = CodePipelineOperations(service: pipelines, access: access)
        operations.addDefinition(to: &table)
        operations.addTypes(to: &table)
        operations.addTags(to: &table)
        operations.addExecution(to: &table)
        operations.addHistory(to: &table)
        operations.addRules(to: &table)
        operations.addJobs(to: &table)
        operations.addAbsentThings(to: &table)
        self.table = table
    }

    /// Answers a request.
    public func respond(to request: ServiceRequest) async -> ServiceResponse {
        await table.respond(to: request)
    }
}
