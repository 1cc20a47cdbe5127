import ArgumentParser

/// `coffer execution …`.
struct ExecutionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "execution", abstract: "Executions: start, watch, read, stop and retry them.",
        subcommands: [
            ExecutionList.self, ExecutionShow.self, ExecutionWatch.self, ExecutionLogs.self, ExecutionStart.self,
            ExecutionStop.self, ExecutionRetry.self,
        ])
}

/// Which execution of which pipeline.
struct ExecutionArguments: ParsableArguments {
    @Argument(help: "The pipeline's name; PIPELINE@WHICH names both at once.")
    var pipeline: String

    @Argument(help: "Running number, execution id or `latest`.")
    var which: String?

    /// The query parameters that name it.
    var query: [(String, String?)] {
        if which == nil, let at = pipeline.firstIndex(of: "@") {
            return [
                ("pipeline", String(pipeline[..<at])), ("which", String(pipeline[pipeline.index(after: at)...])),
            ]
        }
        return [("pipeline", pipeline), ("which", which ?? "latest")]
    }
}
