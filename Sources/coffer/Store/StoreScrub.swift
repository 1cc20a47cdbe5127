import ArgumentParser
import ArtifactStore
import Console

/// `coffer store scrub`.
struct StoreScrub: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Read everything back and verify it: exit 11 when something is damaged.",
        discussion: """
            quick looks at the structure of the packs; pack reads all of them that are complete and compares their digests, \
            which needs no key; deep reads every version down to the plaintext of every file, and so also what lies in the \
            packs that are still being filled.

            A scrub that was left in the middle, by its limit or with the server, goes on where it stopped.
            """)

    @Option(
        help: ArgumentHelp("\(ScrubLevel.allCases.map(\.rawValue).joined(separator: ", ")); default: the last."))
    var level: String?

    @Option(help: ArgumentHelp("Stop after about so much; the next scrub goes on there.", valueName: "MiB"))
    var limit: Int?

    @Option(help: ArgumentHelp("Read so much a second at most.", valueName: "MiB"))
    var rate: Int?

    @Flag(help: "Begin anew, also when the last scrub was left in the middle.")
    var fresh = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        for (name, value) in [("limit", limit), ("rate", rate)] {
            if let value, !(1...1 << 40).contains(value) { throw ValidationError("--\(name) takes a number of MiB") }
        }
    }

    func run() async throws {
        let answer: ScrubAnswer = try await connection.withClient { client in
            try await client.decode(
                try await client.send(
                    .POST, "/-/v1/store/scrub",
                    [
                        ("level", level), ("limit", limit.map { "\($0 << 20)" }), ("rate", rate.map { "\($0 << 20)" }),
                        ("fresh", fresh ? "1" : nil),
                    ]))
        }
        try output.scrub(answer)
    }
}

extension OutputOptions {
    /// Writes what was found; damage ends the command with its own exit code.
    func scrub(_ answer: ScrubAnswer) throws {
        for damage in answer.damages { Talk.error(damage) }
        if answer.isResumed { Talk.line("went on where the last scrub stopped") }
        if !answer.isComplete { Talk.line("not everything was read yet; scrub again to go on") }
        try figures(answer.figures, flags: ["isComplete": answer.isComplete, "isResumed": answer.isResumed])
        if !answer.damages.isEmpty { throw CommandExit.integrity }
    }
}
