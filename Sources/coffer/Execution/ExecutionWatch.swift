import ArgumentParser
import Console
import Foundation

/// `coffer execution watch`.
struct ExecutionWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow an execution to its end.",
        discussion: """
            Exit codes: 0 succeeded (or reached --until), 7 failed, 8 stopped, superseded or rejected, 9 time limit \
            reached. Interrupting the watch does not interrupt the execution.
            """)

    @OptionGroup var execution: ExecutionArguments

    @Option(help: ArgumentHelp("End as soon as this stage has begun.", valueName: "stage"))
    var until: String?

    @Option(help: ArgumentHelp("Give up watching after this time.", valueName: "seconds"))
    var timeout: Double?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await connection.withClient { client in
            try await Watcher(client: client, query: execution.query, until: until, timeout: timeout, output: output)
                .run()
        }
    }
}

/// Follows one execution and says what changes.
struct Watcher {
    let client: NativeClient
    let query: [(String, String?)]
    let until: String?
    let timeout: Double?
    let output: OutputOptions

    /// Returns when the execution succeeded or reached the stage; throws ``CommandExit`` otherwise.
    func run() async throws {
        let screen = WatchScreen(format: output.format)
        let exit: CommandExit = try await withThrowingTaskGroup(of: CommandExit.self) { group in
            group.addTask { try await follow(screen) }
            if let timeout {
                group.addTask {
                    try await Task.sleep(for: .seconds(timeout))
                    return .stillRunning
                }
            }
            defer { group.cancelAll() }
            return try await group.next() ?? .stillRunning
        }
        try screen.finish()
        if exit == .stillRunning { Talk.error("time limit reached; the execution goes on") }
        if exit != .done { throw exit }
    }

    /// Watches, over a new connection whenever the server went away for a while, such as for a restart.
    private func follow(_ screen: WatchScreen) async throws -> CommandExit {
        var lastContact: ContinuousClock.Instant?
        while true {
            do {
                var result: CommandExit?
                let stages = [("until", until)]
                try await client.lines("/-/v1/execution/watch", query + stages, as: ExecutionAnswer.self) { answer in
                    lastContact = .now
                    try screen.show(answer)
                    result = verdict(answer)
                    return result == nil
                }
                if let result { return result }
            } catch let failure as CommandFailure where failure.exit == .unreachable {
                guard let lastContact, ContinuousClock.now - lastContact < .seconds(60) else { throw failure }
            }
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    /// How the command ends after this state; nil to go on.
    private func verdict(_ answer: ExecutionAnswer) -> CommandExit? {
        if let until, answer.stages.first(where: { $0.name == until })?.status != nil { return .done }
        let execution = answer.execution
        guard execution.isOver else { return nil }
        switch execution.status {
        case "Succeeded": return .done
        case "Failed":
            let isRejected = answer.stages.contains { stage in
                stage.actions.contains { $0.category == "Approval" && $0.status == "Failed" }
            }
            return isRejected ? .executionStopped : .executionFailed
        default: return .executionStopped
        }
    }
}

/// What a watcher shows: a block that moves on terminals, one line a change elsewhere, snapshots as JSON.
final class WatchScreen: @unchecked Sendable {
    // Proof: used by one task, the follower's, and after that task has ended by the caller's, which awaited it.
    private let format: OutputFormat
    private var linesDrawn = 0
    private var said: [String: String] = [:]
    private var latest: ExecutionAnswer?

    init(format: OutputFormat) { self.format = format }

    func show(_ answer: ExecutionAnswer) throws {
        latest = answer
        switch format {
        case .json: break
        case .jsonl: try Out.write(JSON.compact(answer) + [10])
        case .table where Out.isTerminal: redraw(ExecutionText.lines(answer))
        case .table, .plain: sayChanges(answer)
        }
    }

    func finish() throws {
        if format == .json, let latest { try Out.write(JSON.pretty(latest) + [10]) }
    }

    private func redraw(_ lines: [String]) {
        var text = linesDrawn > 0 ? "\u{1B}[\(linesDrawn)A\u{1B}[J" : ""
        text += lines.joined(separator: "\n") + "\n"
        linesDrawn = lines.count
        Out.write(Array(text.utf8))
    }

    private func sayChanges(_ answer: ExecutionAnswer) {
        let name = "\(answer.execution.pipeline) \(answer.execution.number)"
        if !answer.execution.isOver { sayStatus(answer.execution, name) }
        for stage in answer.stages {
            for action in stage.actions {
                guard let status = action.status, said["\(stage.name)/\(action.name)"] != status else { continue }
                said["\(stage.name)/\(action.name)"] = status
                var line = "\(Say.time(action.updated))  \(name)  \(stage.name)/\(action.name)  \(status)"
                if status != "InProgress", let took = ExecutionText.took(action) { line += "  \(took)" }
                if let note = ExecutionText.note(action) { line += "  \(note)" }
                Out.line(line)
            }
        }
        if answer.execution.isOver { sayStatus(answer.execution, name) }
    }

    private func sayStatus(_ execution: ExecutionItem, _ name: String) {
        guard said["", default: ""] != execution.status else { return }
        said[""] = execution.status
        var line = "\(Say.time(execution.isOver ? execution.updated : execution.started))  \(name)  \(execution.status)"
        if let summary = execution.statusSummary, !summary.isEmpty { line += "  \(summary)" }
        Out.line(line)
    }
}
