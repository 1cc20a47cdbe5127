import ArgumentParser
import Console
import Foundation

/// `coffer pipeline put`.
struct PipelinePut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Create a pipeline or update it to what a file declares.")

    @Argument(help: "JSON file as `aws codepipeline create-pipeline --pipeline` takes it; - for standard input.")
    var file: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let bytes = try Input.small(file)
        let done: PipelineItem = try await connection.withClient { client in
            try await client.decode(try await client.send(.PUT, "/-/v1/pipeline", bytes: bytes))
        }
        try output.one(done) { ["\(done.name) version \(done.version)"] }
    }
}
