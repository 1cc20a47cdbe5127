import ArgumentParser

/// `coffer artifact cat`.
struct ArtifactCat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Write a file of a version to standard output.")

    @OptionGroup var reference: ReferenceArgument
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.withClient { client in
            try await client.download("/-/v1/artifact/content", reference.query) { Out.write($0) }
        }
    }
}
