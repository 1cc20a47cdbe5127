import ArgumentParser
import Console

/// `coffer execution retry`.
struct ExecutionRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Retry the failed stage of an execution.")

    @OptionGroup var execution: ExecutionArguments

    @Option(help: "The stage; default: the one that failed.")
    var stage: String?

    @Flag(help: "Run all of the stage's actions again, not only those that failed.")
    var allActions = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let retried: ExecutionRef = try await connection.withClient {
            try await $0.send(
                .POST, "/-/v1/execution/retry", execution.query,
                body: RetryBody(stage: stage, allActions: allActions))
        }
        try output.one(retried) { ["retrying \(retried.id)"] }
    }
}
