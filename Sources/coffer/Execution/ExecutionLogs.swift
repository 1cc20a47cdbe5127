import ArgumentParser
import Console
import Foundation

/// `coffer execution logs`.
struct ExecutionLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print what an execution's commands wrote.")

    @OptionGroup var execution: ExecutionArguments

    @Option(help: "Only this action's, as STAGE/ACTION or ACTION.")
    var action: String?

    @Flag(name: .shortAndLong, help: "Go on printing as more is written, until the execution is over.")
    var follow = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = execution.query + [("action", action), ("follow", follow ? "1" : nil)]
        var lines: [LogEntry] = []
        var heading = ""
        let format = output.format
        try await connection.withClient { client in
            try await client.lines("/-/v1/execution/logs", query, as: LogEntry.self) { line in
                switch format {
                case .json: lines.append(line)
                case .jsonl: try Out.write(JSON.compact(line) + [10])
                case .plain: Out.line(line.text)
                case .table:
                    let title = "\(line.stage)/\(line.action)"
                    if title != heading { Out.line(Paint.bold("== \(title)")) }
                    heading = title
                    Out.line(line.text)
                }
                return true
            }
        }
        if format == .json { try Out.write(JSON.pretty(lines) + [10]) }
    }
}
