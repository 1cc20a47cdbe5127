import ArgumentParser
import Console

/// `coffer approval list`.
struct ApprovalList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the decisions that wait.")

    @Argument(help: "Only this pipeline's.")
    var pipeline: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [ApprovalItem] = try await connection.withClient {
            try await $0.get("/-/v1/approvals", [("pipeline", pipeline)])
        }
        try output.list(items, ["PIPELINE", "EXECUTION", "STAGE", "ACTION", "SINCE", "SAYS"]) { item in
            [
                item.pipeline, item.executionNumber.map { "\($0)" } ?? item.executionID, item.stage, item.action,
                Say.time(item.requested), item.customData ?? "-",
            ]
        }
    }
}
