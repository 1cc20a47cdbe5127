import ArgumentParser
import Console

/// `coffer pipeline validate`.
struct PipelineValidate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a declaration without keeping it, or asking a server: exit 3 when something is wrong.")

    @Argument(help: "JSON file as `aws codepipeline create-pipeline --pipeline` takes it; - for standard input.")
    var file: String

    @OptionGroup var output: OutputOptions

    func run() throws {
        let answer = PipelineChecks.validate(try Input.small(file))
        try output.one(answer) {
            answer.problems.isEmpty
                ? ["\(answer.name): nothing wrong"] : answer.problems.map { "\($0.code): \($0.message)" }
        }
        for warning in answer.warnings { Talk.line("warning: \(warning)") }
        if !answer.problems.isEmpty { throw CommandExit.refused }
    }
}
