import ArgumentParser
import Console

/// `coffer retention …`.
struct RetentionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention", abstract: "Which versions of an artifact are kept; without a rule, all.",
        discussion: """
            A version stays while any part of its artifact's rule keeps it, or a pin, hold, tag, deployment or execution that \
            has not ended does: `coffer why` names the reasons. Rules are applied every hour and by `coffer store gc`; what \
            they retire can be brought back for a day.
            """,
        subcommands: [RetentionSet.self, RetentionList.self, RetentionRemove.self])
}

/// `coffer retention set`.
struct RetentionSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set the rule of an artifact, in place of the one it has.")

    @Argument(help: "PIPELINE/ARTIFACT")
    var artifact: String

    @Option(help: "Keep the newest so many versions.")
    var newest: Int?

    @Option(help: ArgumentHelp("Keep versions younger than this, such as 12h, 30d or 8w.", valueName: "time"))
    var age: Span?

    @Option(help: "Keep the newest version whose execution passed this stage, and the newest that was made in it.")
    var stage: String?

    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard newest != nil || age != nil || stage != nil else {
            throw ValidationError("say what to keep: --newest, --age or --stage")
        }
        guard artifact.split(separator: "/", maxSplits: 1).count == 2 else {
            throw ValidationError("name the artifact as PIPELINE/ARTIFACT, not \(artifact)")
        }
    }

    func run() async throws {
        let names = artifact.split(separator: "/", maxSplits: 1).map(String.init)
        let item = RetentionItem(
            repository: names[0], artifact: names[1], newest: newest, ageSeconds: age?.seconds, stage: stage)
        let made: RetentionItem = try await connection.withClient { client in
            try await client.send(.PUT, "/-/v1/retention", body: item)
        }
        Talk.line("\(made.repository)/\(made.artifact) keeps \(made.parts.joined(separator: ", "))")
    }
}

/// `coffer retention list`.
struct RetentionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the rules.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [RetentionItem] = try await connection.withClient { try await $0.get("/-/v1/retention") }
        try output.list(items, ["ARTIFACT", "KEEPS"]) { item in
            ["\(item.repository)/\(item.artifact)", item.parts.joined(separator: ", ")]
        }
    }
}

/// `coffer retention remove`.
struct RetentionRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take the rule of an artifact away: all its versions are kept.")

    @Argument(help: "PIPELINE/ARTIFACT")
    var artifact: String

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let done: Done = try await connection.withClient { client in
            try await client.decode(try await client.send(.DELETE, "/-/v1/retention", [("name", artifact)]))
        }
        Talk.line(done.message)
    }
}

extension RetentionItem {
    /// What it keeps, in words.
    fileprivate var parts: [String] {
        [
            newest.map { "the newest \($0)" }, ageSeconds.map { "those younger than \(Span.text($0))" },
            stage.map { "the newest of stage \($0)" },
        ].compactMap { $0 }
    }
}
