import ArgumentParser
import Console

/// `coffer store reencrypt`.
struct StoreReencrypt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reencrypt", abstract: "Store the content of all versions anew under new secrets.",
        discussion: """
            Dedup domains begin new epochs, in the scope that the server has now (`serve --dedup-scope`). Version after \
            version, newest first, is read, stored under the new secrets, read back, compared and switched over; ids, \
            numbers, tags, pins and hashes stay. Readers and writers go on meanwhile, and collection takes what nothing \
            needs any more. A stopped server goes on at its next start. Needed when the secret of a dedup domain has \
            leaked; rotating a KMS key re-encrypts nothing.

            Until old versions are collected the store may take twice the room. Exit 12 when versions were skipped \
            because their key cannot be used.
            """)

    @Option(help: "Only versions under this KMS key (id, ARN or alias).")
    var key: String?

    @Option(help: "Move them to this KMS key.")
    var toKey: String?

    @Option(help: ArgumentHelp("Read at most so many MiB a second.", valueName: "MiB"))
    var rate: Int?

    @Flag(help: "Do not wait until it is done.")
    var detach = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try Input.confirm("Read and write all content anew?", yes: yes)
        let query = [("key", key), ("to-key", toKey), ("rate", rate.map { "\($0 << 20)" })]
        try await connection.withClient { client in
            let job: JobAnswer = try await client.decode(try await client.send(.POST, "/-/v1/store/reencrypt", query))
            try output.job(detach ? job : try await JobWatch(client).wait(for: job.id))
        }
    }
}
