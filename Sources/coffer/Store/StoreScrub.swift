import ArgumentParser
import ArtifactStore
import Console

/// `coffer store scrub`.
struct StoreScrub: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub", abstract: "Read everything back and verify it: exit 11 when something is damaged.")

    @Option(
        help: ArgumentHelp("\(ScrubLevel.allCases.map(\.rawValue).joined(separator: ", ")); default: the last."))
    var level: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer: ScrubAnswer = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/store/scrub", [("level", level)]))
        }
        try output.scrub(answer)
    }
}

extension OutputOptions {
    /// Writes what was found; damage ends the command with its own exit code.
    func scrub(_ answer: ScrubAnswer) throws {
        for damage in answer.damages { Talk.error(damage) }
        try figures(answer.figures)
        if !answer.damages.isEmpty { throw CommandExit.integrity }
    }
}
