import ArgumentParser
import Console

/// `coffer key rewrap`.
struct KeyRewrap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rewrap", abstract: "Wrap the data keys of versions anew, after the rotation of a KMS key.",
        discussion: """
            About 300 bytes a version; no content is read. Afterwards nothing of these versions is wrapped under older \
            material of the key any more. With --to-key they are wrapped under another KMS key; their content stays \
            in the dedup domain that it is in, which `coffer store reencrypt --to-key` changes as well.
            """)

    @Option(help: "Only versions under this KMS key (id, ARN or alias).")
    var key: String?

    @Option(help: "Wrap them under this KMS key.")
    var toKey: String?

    @Flag(help: "Do not wait until it is done.")
    var detach = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await connection.withClient { client in
            let job: JobAnswer = try await client.decode(
                try await client.send(.POST, "/-/v1/keys/rewrap", [("key", key), ("to-key", toKey)]))
            try output.job(detach ? job : try await JobWatch(client).wait(for: job.id))
        }
    }
}
