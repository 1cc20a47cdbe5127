import ArgumentParser
import Console

/// `coffer why`.
struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "why", abstract: "Say why a version is kept.")

    @OptionGroup var reference: ReferenceArgument
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer: WhyAnswer = try await connection.withClient { try await $0.get("/-/v1/why", reference.query) }
        try output.one(answer) {
            ["\(answer.version.reference)  \(answer.version.id)"] + answer.reasons.map { "  \($0)" }
        }
    }
}
