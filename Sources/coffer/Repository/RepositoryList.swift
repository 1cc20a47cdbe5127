import ArgumentParser
import Console

/// `coffer repository list`.
struct RepositoryList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the named repositories.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [RepositoryItem] = try await connection.withClient { try await $0.get("/-/v1/repositories") }
        try output.list(items, ["NAME", "LOCATION"]) { [$0.name, $0.location] }
    }
}
