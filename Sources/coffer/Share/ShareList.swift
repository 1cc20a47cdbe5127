import ArgumentParser
import Console

/// `coffer share list`.
struct ShareList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the shares of this account and Region, newest first.")

    @Argument(help: ArgumentHelp("Only those of this version.", valueName: "reference"))
    var reference: String?

    @Flag(help: "Those that others made for this account.")
    var received = false

    @Flag(help: "Ended ones too.")
    var all = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = [("ref", reference), ("received", received ? "1" : nil), ("all", all ? "1" : nil)]
        let items: [ShareItem] = try await connection.withClient { try await $0.get("/-/v1/shares", query) }
        let headings = ["REFERENCE", "VERSION", received ? "FROM" : "WITH", "BY", "STATE", "UNTIL", "PURPOSE"]
        try output.list(items, headings) { item in
            let other =
                received
                ? "\(item.owner)/\(item.ownerRegion)"
                : "\(item.recipient)/\(item.recipientRegion)" + (item.pipeline.map { "/\($0)" } ?? "")
            return [
                item.reference, item.versionReference(received: received), other, item.mechanism,
                item.state + (item.depth.map { " R\($0)" } ?? ""), Say.time(item.notAfter), item.purpose,
            ]
        }
    }
}
