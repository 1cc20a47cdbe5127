import ArgumentParser
import Console

/// `coffer store gc`.
struct StoreGC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Collect what no version needs any more. Writers go on meanwhile.")

    @Flag(help: "Only say what would be done.")
    var plan = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let figures: Figures = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/store/gc", [("plan", plan ? "1" : nil)]))
        }
        try output.figures(figures)
    }
}
