import ArgumentParser
import Console

/// `coffer key rotate`.
struct KeyRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make a new key of a layer current and seal anew what can be sealed anew.",
        discussion: """
            Older versions go on opening what they sealed. Rotation stops nobody who already holds an old key and old \
            copies of what it sealed; destroying it makes later copies useless.
            """)

    @Argument(help: "keyring, storage, service, signing, row, journal, token or dedup.")
    var layer: RotatingLayer

    @Option(help: "For dedup: only the domains of this KMS key.")
    var key: String?

    @Flag(help: "For storage and row: destroy the older versions when nothing is sealed under them any more.")
    var destroyOld = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let query = [
            ("layer", layer.rawValue), ("key", key), ("destroy-old", destroyOld ? "1" : nil),
        ]
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/keys/rotate", query))
        }
        Out.line(done.message)
    }
}
