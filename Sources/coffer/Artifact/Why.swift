import ArgumentParser
import Console

/// `coffer why`.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "why", abstract: "Say why a version is kept.")

    @OptionGroup var reference: ReferenceArgument
    @Flag(help: "Also say how many stored bytes deleting it would free. Walks through everything that is stored.")
    var frees = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = reference.query + [("exclusive", frees ? "1" : nil)]
        let answer: WhyAnswer = try await connection.withClient { try await $0.get("/-/v1/why", query) }
        try output.one(answer) {
            // One that was brought back, or whose rule is new.
            let nothing = ["  nothing keeps it: the rule of its artifact deletes it within the hour"]
            return ["\(answer.version.reference)  \(answer.version.id)"]
                + (answer.reasons.isEmpty ? nothing : answer.reasons.map { "  \($0)" })
                + [answer.exclusiveBytes.map { "  deleting it would free \(Say.bytes($0))" }].compactMap { $0 }
        }
    }
}
