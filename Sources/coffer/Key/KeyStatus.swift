import ArgumentParser
import Console

/// `coffer key status`.
struct KeyStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "List every key between the root key and the KMS keys.",
        discussion: "USES counts what a key seals, where that can be told without opening anything.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let keys: [KeyLayerAnswer] = try await connection.withClient { try await $0.get("/-/v1/keys") }
        try output.list(keys, ["LAYER", "NAME", "VERSION", "STATE", "CREATED", "USES"]) { key in
            [
                key.layer, key.name.isEmpty ? "-" : key.name, "\(key.version)", key.state, Say.time(key.created),
                key.uses.map(String.init) ?? "-",
            ]
        }
    }
}
