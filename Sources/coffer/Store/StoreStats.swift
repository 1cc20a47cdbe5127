import ArgumentParser
import Console

/// `coffer store stats`.
struct StoreStats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what the store holds and what keeping it costs.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.figures(try await connection.withClient { try await $0.get("/-/v1/store/stats") })
    }
}
