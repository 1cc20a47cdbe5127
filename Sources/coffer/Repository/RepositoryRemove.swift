import ArgumentParser
import Console

/// `coffer repository remove`.
struct RepositoryRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a repository's name away; the repository itself is not touched.")

    @Argument(help: "The name.")
    var name: String

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.DELETE, "/-/v1/repositories", [("name", name)]))
        }
        Talk.line(done.message)
    }
}
