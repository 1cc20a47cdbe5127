import ArgumentParser
import Console

/// `coffer execution start`.
struct ExecutionStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start an execution; with --watch, follow it to its end.")

    @Argument(help: "The pipeline's name.")
    var pipeline: String

    @Option(
        name: .customLong("variable"), help: ArgumentHelp("Value of a pipeline variable.", valueName: "name=value"))
    var variables: [String] = []

    @Option(
        name: .customLong("revision"),
        help: ArgumentHelp("Revision for a source action: a commit or an object version.", valueName: "action=revision")
    )
    var revisions: [String] = []

    @Flag(help: "Follow the execution to its end.")
    var watch = false

    @Option(help: ArgumentHelp("With --watch: give up watching after this time.", valueName: "seconds"))
    var timeout: Double?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let request = StartBody(
            variables: Dictionary(try variables.map(pair)) { $1 },
            revisions: try revisions.map(pair).map { action, value in
                let isCommit = value.count == 40 && value.allSatisfy(\.isHexDigit)
                return .init(action: action, type: isCommit ? "COMMIT_ID" : "S3_OBJECT_VERSION_ID", value: value)
            }, clientToken: nil)
        try await connection.withClient { client in
            let started: ExecutionRef = try await client.send(
                .POST, "/-/v1/execution/start", [("pipeline", pipeline)], body: request)
            guard watch else {
                try output.one(started) { [started.id] }
                return
            }
            try await Watcher(
                client: client, query: [("pipeline", pipeline), ("which", started.id)], until: nil, timeout: timeout,
                output: output
            ).run()
        }
    }

    private func pair(_ text: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw ValidationError("\(text) is not of the form name=value")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}
