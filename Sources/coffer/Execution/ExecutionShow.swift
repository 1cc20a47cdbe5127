import ArgumentParser
import Console
import Foundation

/// `coffer execution show`.
struct ExecutionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an execution's stages and actions.")

    @OptionGroup var execution: ExecutionArguments
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer: ExecutionAnswer = try await connection.withClient {
            try await $0.get("/-/v1/execution", execution.query)
        }
        try output.one(answer) { ExecutionText.lines(answer) }
    }
}

/// An execution as lines for people.
enum ExecutionText {
    static func lines(_ answer: ExecutionAnswer) -> [String] {
        let execution = answer.execution
        var lines = [
            "\(Paint.bold("\(execution.pipeline) \(execution.number)"))  \(Paint.status(execution.status))  "
                + Paint.dim(execution.id)
        ]
        if let summary = execution.statusSummary, !summary.isEmpty { lines.append("  \(summary)") }
        let width =
            answer.stages.flatMap { stage in stage.actions.map(\.name.count) + [stage.name.count - 2] }.max() ?? 0
        for stage in answer.stages {
            lines.append("  \(pad(stage.name, width + 2))  \(Paint.status(stage.status ?? "-"))")
            for action in stage.actions {
                var line = "    \(pad(action.name, width))  \(Paint.status(action.status ?? "-"))"
                if let took = took(action) { line += "  \(took)" }
                if let note = note(action) { line += "  \(Paint.dim(note))" }
                lines.append(line)
            }
        }
        return lines
    }

    static func took(_ action: ActionItem) -> String? {
        guard let started = action.started, let status = action.status else { return nil }
        let end = status == "InProgress" ? Date() : action.updated ?? started
        return Say.duration(end.timeIntervalSince(started))
    }

    /// What there is to say about an action beyond its status.
    static func note(_ action: ActionItem) -> String? {
        if let message = action.errorMessage {
            return [action.errorCode, message].compactMap(\.self).joined(separator: ": ")
        }
        if action.category == "Approval" && action.status == "InProgress" { return "waits for approval" }
        if let percent = action.percentComplete, action.status == "InProgress" { return "\(percent)%" }
        return action.summary?.split(whereSeparator: \.isNewline).first.map(String.init)
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
