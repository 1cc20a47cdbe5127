import ArgumentParser
import Console

/// `coffer artifact ls`.
struct ArtifactLs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List what is inside a version, or inside an archive in it.")

    @OptionGroup var reference: ReferenceArgument

    @Flag(name: [.customShort("R"), .long], help: "Directories with all that is below them.")
    var recursive = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = reference.query + [("recursive", recursive ? "1" : nil)]
        let items: [EntryItem] = try await connection.withClient {
            try await $0.get("/-/v1/artifact/entries", query)
        }
        try output.list(items, ["KIND", "SIZE", "SHA256", "PATH"]) { item in
            [
                item.kind == "file" && item.isExecutable ? "file*" : item.kind,
                item.kind == "file" ? "\(item.bytes)" : "-", item.sha256.map { String($0.prefix(12)) } ?? "-",
                item.path + (item.target.map { " -> \($0)" } ?? ""),
            ]
        }
    }
}
