import ArgumentParser
import Console

/// `coffer execution stop`.
struct ExecutionStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop an execution once its actions are done, or at once with --abandon.")

    @OptionGroup var execution: ExecutionArguments

    @Flag(help: "Do not wait for actions that are under way.")
    var abandon = false

    @Option(help: "Why; kept with the execution.")
    var reason: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let stopped: ExecutionRef = try await connection.withClient {
            try await $0.send(
                .POST, "/-/v1/execution/stop", execution.query, body: StopBody(abandon: abandon, reason: reason))
        }
        try output.one(stopped) { ["stopping \(stopped.id)"] }
    }
}
