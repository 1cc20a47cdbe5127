import ArgumentParser
import Console

/// `coffer share revoke`.
struct ShareRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End a share.",
        discussion: """
            R1 ends every read through it at once. R2 replaces the version's data key too, which otherwise happens \
            within seven days where the data key had been wrapped for the recipient. R3 writes the content anew, so \
            that not even whoever kept chunk keys and reads the packs can open it. Nothing takes back what was read.
            """)

    enum Depth: String, ExpressibleByArgument, CaseIterable {
        case R1, R2, R3

        var number: String { String(rawValue.dropFirst()) }
    }

    @Argument(help: "The share, with or without share: in front.")
    var share: String

    @Option(help: "R1, R2 or R3.")
    var depth = Depth.R1

    @Option(help: "Why.")
    var reason: String?

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let id = share.hasPrefix("share:") ? String(share.dropFirst("share:".count)) : share
        try Input.confirm("End share \(id) for good? What was read stays read.", yes: yes)
        let query = [("id", id), ("depth", depth.number), ("reason", reason)]
        let ended: ShareItem = try await connection.withClient { client in
            try await client.decode(try await client.send(.DELETE, "/-/v1/share", query))
        }
        try output.one(ended) { ["\(ended.reference) ended, R\(ended.depth ?? 1)"] }
        Talk.line("What \(ended.recipient) has read already is not taken back.")
    }
}
