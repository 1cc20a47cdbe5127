import ArgumentParser
import Console

/// `coffer store usage`.
struct StoreUsage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Show how many versions and bytes each artifact has.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [UsageItem] = try await connection.withClient { try await $0.get("/-/v1/store/usage") }
        try output.list(items, ["REPOSITORY", "ARTIFACT", "VERSIONS", "SIZE", "STORED"]) { item in
            [item.repository, item.artifact, "\(item.versions)", Say.bytes(item.bytes), Say.bytes(item.storedBytes)]
        }
    }
}
