import Foundation
import KeyHierarchy
import PipelineModel

/// The action Invoke/CodePipeline: starts another pipeline of the same account and region, without waiting for its end.
struct PipelineInvocation: ActionRunner {
    static let type = ActionTypeID(category: .invoke, provider: "CodePipeline")

    let service: PipelineService
    var types: [ActionTypeID] { [Self.type] }

    private struct Variable: Decodable {
        var name: String
        var value: String
    }

    func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let name = job.configuration["PipelineName"] ?? ""
        guard name != job.pipelineName else {
            throw ActionFailure(.configuration, "The pipeline '\(name)' cannot start itself: it would never end")
        }
        let variables: [Variable] = try decode(job, "Variables")
        // With the action's run as token, a second run of the job after a crash finds the execution of the first.
        let request = StartRequest(
            caller: PipelineService.arn(job.pipelineName, in: job.scope),
            variables: Dictionary(variables.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }),
            overrides: try decode(job, "SourceRevisions"), clientRequestToken: job.actionExecutionID)
        do {
            let id = try await service.startExecution(of: name, request, in: job.scope)
            return ActionOutcome(
                variables: ["PipelineExecutionId": id], summary: "Started \(name)", externalExecutionID: id)
        } catch let error as PipelineError {
            throw ActionFailure(.configuration, "The pipeline '\(name)' could not be started. \(error)")
        }
    }

    private func decode<T: Decodable>(_ job: ActionJob, _ key: String) throws -> [T] {
        guard let text = job.configuration[key] else { return [] }
        do {
            return try JSONText.decode(text)
        } catch {
            throw ActionFailure(
                .configuration,
                "The configuration value \(key) of action '\(job.action)' must be a JSON array of objects")
        }
    }
}
