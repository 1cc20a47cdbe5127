import ArgumentParser
import Console

/// `coffer key destroy`.
struct KeyDestroy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "Destroy an old version of a key that seals nothing any more.",
        discussion: """
            The version in use and versions that still seal something are refused. For storage: every version that \
            is older than the one in use.
            """)

    enum Layer: String, ExpressibleByArgument, CaseIterable { case keyring, storage, token }

    @Argument(help: "keyring, storage or token.")
    var layer: Layer

    @Option(help: "The version, as `coffer key status` lists it.")
    var version: Int

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try Input.confirm("Destroy version \(version) of the \(layer.rawValue) key for good?", yes: yes)
        let query = [("layer", layer.rawValue), ("version", "\(version)")]
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/keys/destroy", query))
        }
        Out.line(done.message)
    }
}

/// `coffer key retire`.
struct KeyRetire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Destroy the epochs of dedup domains that no version needs any more.",
        discussion: """
            An epoch goes when two looks at least a day apart found it unused; the server looks by itself as well. \
            Until then whoever learns its secret could still test guesses at content stored in it.
            """)

    @Flag(help: "Do not wait for a second look.")
    var now = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/keys/retire", [("now", now ? "1" : nil)]))
        }
        Out.line(done.message)
    }
}
