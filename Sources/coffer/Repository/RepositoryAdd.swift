import ArgumentParser
import Console
import Foundation

/// `coffer repository add`.
struct RepositoryAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Give a Git repository the name under which source actions find it.")

    @Argument(help: "The name, as in a source action's RepositoryName.")
    var name: String

    @Argument(help: "Path on the server's machine, or URL, of the repository.")
    var location: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        // A path is meant as the person who types it sees it, whatever the server's working directory.
        var place = location
        if !place.contains("://") && !place.hasPrefix("/") && FileManager.default.fileExists(atPath: place) {
            place = URL(fileURLWithPath: place).standardizedFileURL.path
        }
        let item: RepositoryItem = try await connection.withClient {
            try await $0.send(.PUT, "/-/v1/repositories", body: RepositoryItem(name: name, location: place))
        }
        try output.one(item) { ["\(item.name)\t\(item.location)"] }
    }
}
