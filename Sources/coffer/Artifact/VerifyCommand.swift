import ArgumentParser
import Console

/// `coffer verify`.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that nothing was altered since it was signed: exit 11 otherwise.",
        discussion: """
            Without a name: the version log with its signed heads, the mark beside the root key, every version and pin \
            against its signed statement, every key, policy, alias and grant against the security journal; with \
            --content all content as well. With the name of a pipeline, an artifact or a version \
            (PIPELINE[/ARTIFACT][@WHICH]): those versions, content included.

            Exit 0: all is as it was signed. Exit 11: something is not, and is named on standard error. Exit 12: \
            nothing is wrong, but some content could not be read because its key is disabled.
            """)

    @Argument(help: ArgumentHelp("What to verify. Default: everything.", valueName: "name"))
    var reference: String?

    @Flag(help: "Read all content back and compare it with its hashes.")
    var content = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// Has the server read content back, some at a time.
    private func read(_ client: NativeClient, _ answer: inout VerifyAnswer) async throws {
        defer { Talk.endProgress() }
        var next: String?
        repeat {
            let part: VerifyAnswer = try await client.get(
                "/-/v1/verify/content", [("ref", reference), ("after", next)])
            answer.add(part)
            next = part.next
            Talk.progress("\(Say.bytes(answer.bytes)) read back")
        } while next != nil
    }

    func run() async throws {
        let answer: VerifyAnswer = try await connection.withClient { client in
            var answer: VerifyAnswer = try await client.get("/-/v1/verify", [("ref", reference)])
            if content || reference != nil { try await read(client, &answer) }
            return answer
        }
        for problem in answer.problems { Talk.error(problem) }
        for skipped in answer.skipped { Talk.error("not read: \(skipped)") }
        switch output.format {
        case .json, .jsonl: try output.one(answer) { [] }
        case .plain, .table: try output.figures(answer.figures)
        }
        if !answer.problems.isEmpty { throw CommandExit.integrity }
        if !answer.skipped.isEmpty { throw CommandExit.key }
    }
}
