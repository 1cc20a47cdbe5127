import ArgumentParser
import Console
import Foundation

/// `coffer execution list`.
struct ExecutionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List a pipeline's executions, newest first.")

    @Argument(help: "The pipeline's name.")
    var pipeline: String

    @Option(help: "How many at most.")
    var limit = 20

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [ExecutionItem] = try await connection.withClient {
            try await $0.get("/-/v1/executions", [("pipeline", pipeline), ("limit", "\(limit)")])
        }
        try output.list(items, ["NUMBER", "STATUS", "STARTED", "TOOK", "TRIGGER", "REVISION", "ID"]) { item in
            [
                "\(item.number)", item.status, Say.time(item.started), ExecutionList.took(item), item.trigger ?? "-",
                item.revision.map { String($0.prefix(12)) } ?? "-", item.id,
            ]
        }
    }

    static func took(_ item: ExecutionItem) -> String {
        guard let started = item.started, let updated = item.updated, item.isOver else { return "-" }
        return Say.duration(updated.timeIntervalSince(started))
    }
}
