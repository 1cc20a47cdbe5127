import ArgumentParser
import Console

/// `coffer artifact tag`.
struct ArtifactTag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Give a version a name of its own; --remove takes it away.")

    @OptionGroup var reference: ReferenceArgument

    @Argument(help: "The tag.")
    var tag: String

    @Flag(help: "Take the tag away.")
    var remove = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let query = reference.query + [("tag", tag)]
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(remove ? .DELETE : .PUT, "/-/v1/artifact/tag", query))
        }
        Talk.line(done.message)
    }
}
