import ArgumentParser
import Console

/// `coffer artifact delete`.
struct ArtifactDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a version; for a day it can be brought back.",
        discussion: """
            It vanishes from lists at once, with its tags. A version that a pin, a hold, a deployment or a running execution \
            keeps is refused (exit 6). Its space is freed by the first collection after the day has passed.
            """)

    @OptionGroup var reference: ReferenceArgument

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try Input.confirm("Delete \(reference.reference)?", yes: yes)
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.DELETE, "/-/v1/artifact", reference.query))
        }
        Talk.line(done.message)
    }
}

/// `coffer artifact undelete`.
struct ArtifactUndelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undelete", abstract: "Bring a deleted version back, without its tags.")

    @Argument(help: "REPOSITORY/ARTIFACT@NUMBER, or the version's id, as `coffer artifact list --deleted` shows them.")
    var id: String

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/artifact/undelete", [("id", id)]))
        }
        Talk.line(done.message)
    }
}
