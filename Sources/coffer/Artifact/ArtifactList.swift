import ArgumentParser
import Console

/// `coffer artifact list`.
struct ArtifactList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List artifact versions, newest first.")

    @Argument(help: "PIPELINE or PIPELINE/ARTIFACT; default: all artifacts. `s3` stands for the objects of buckets.")
    var name: String?

    @Option(help: "How many at most.")
    var limit = 50

    @Flag(help: "Those that were deleted and can still be brought back.")
    var deleted = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [VersionItem] = try await connection.withClient {
            try await $0.get(
                "/-/v1/artifacts", [("name", name), ("limit", "\(limit)"), ("deleted", deleted ? "1" : nil)])
        }
        let headings = ["REFERENCE", "CREATED", "BY", "FILES", "SIZE", "NEW", "TAGS", "CONTENT", "ID"]
        try output.list(items, headings) { item in
            [
                item.reference, Say.time(item.created), Say.who(item.createdBy), "\(item.files)", Say.bytes(item.bytes),
                item.storedBytes.map(Say.bytes) ?? "-", item.tags.joined(separator: " "),
                String(item.contentID.prefix(12)),
                item.id,
            ]
        }
    }
}
