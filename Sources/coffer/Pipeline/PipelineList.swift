import ArgumentParser
import Console

/// `coffer pipeline list`.
struct PipelineList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List pipelines and how their latest executions went.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [PipelineItem] = try await connection.withClient { try await $0.get("/-/v1/pipelines") }
        try output.list(items, ["NAME", "VERSION", "STAGES", "LATEST", "STATUS", "STARTED"]) { item in
            [
                item.name, "\(item.version)", item.stages.joined(separator: " → "),
                item.latest.map { "\($0.number)" } ?? "-", item.latest?.status ?? "-", Say.time(item.latest?.started),
            ]
        }
    }
}
