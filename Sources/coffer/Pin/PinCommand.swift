import ArgumentParser
import Console

/// `coffer pin …`.
struct PinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Pins and holds: named reasons to keep a version.",
        discussion: """
            A pinned version is neither retired by a retention rule nor deleted by hand. A hold is a pin that only \
            `--lift-hold` removes. Deployments are pins that deploy actions set, one for each stage.
            """,
        subcommands: [PinAdd.self, PinList.self, PinRemove.self])
}

/// `coffer pin add`.
struct PinAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Keep a version.")

    @OptionGroup var reference: ReferenceArgument

    @Argument(help: "The pin's name; the same name again replaces the pin.")
    var name: String

    @Option(name: .shortAndLong, help: "Why, in words.")
    var reason = ""

    @Option(help: ArgumentHelp("How long, such as 12h, 30d or 4w; default: until it is removed.", valueName: "time"))
    var `for`: Span?

    @Flag(help: "Make it a hold.")
    var hold = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let wanted = PinRequest(name: name, reason: reason, isHold: hold, seconds: self.for?.seconds)
        let done: Done = try await connection.withClient { client in
            try await client.send(.PUT, "/-/v1/pin", reference.query, body: wanted)
        }
        Talk.line(done.message)
    }
}

/// `coffer pin list`.
struct PinList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the pins, holds and deployments of a version, or all.")

    @Argument(help: ArgumentHelp("PIPELINE[/ARTIFACT]@WHICH", valueName: "reference"))
    var reference: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [PinItem] = try await connection.withClient { try await $0.get("/-/v1/pins", [("ref", reference)]) }
        try output.list(items, ["REFERENCE", "NAME", "KIND", "OWNER", "SINCE", "UNTIL", "REASON"]) { item in
            [
                item.reference, item.name, item.kind, item.owner, Say.time(item.created), Say.time(item.expires),
                item.reason,
            ]
        }
    }
}

/// `coffer pin remove`.
struct PinRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Stop keeping a version for a reason.")

    @OptionGroup var reference: ReferenceArgument

    @Argument(help: "The pin's name.")
    var name: String

    @Flag(help: "Remove it although it is a hold.")
    var liftHold = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let query = reference.query + [("name", name), ("hold", liftHold ? "1" : nil)]
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.DELETE, "/-/v1/pin", query))
        }
        Talk.line(done.message)
    }
}
