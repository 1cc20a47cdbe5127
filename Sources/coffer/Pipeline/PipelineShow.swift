import ArgumentParser
import Foundation

/// `coffer pipeline show`.
struct PipelineShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print a pipeline's declaration, as `pipeline put` and `aws codepipeline` take it.")

    @Argument(help: "The pipeline's name.")
    var name: String

    @Option(help: "Which version of the declaration; default: the newest.")
    var version: Int?

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            try await client.download("/-/v1/pipeline", [("name", name), ("version", version.map { "\($0)" })]) {
                Out.write($0)
            }
        }
    }
}
