import ArgumentParser
import Console

/// `coffer project list`.
struct ProjectList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the build projects.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [ProjectItem] = try await connection.withClient { try await $0.get("/-/v1/projects") }
        try output.list(items, ["NAME", "BUILDSPEC", "TIMEOUT"]) { item in
            [
                item.name, item.buildspec == nil ? "the source's buildspec.yml" : "its own",
                item.timeoutSeconds.map { Say.duration(Double($0)) } ?? "-",
            ]
        }
    }
}
