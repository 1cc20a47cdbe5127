import ArgumentParser
import Console

/// `coffer store job …`.
struct StoreJobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Re-encryptions and re-wraps: list, show, wait, cancel, resume.",
        subcommands: [List.self, Show.self, Wait.self, Cancel.self, Resume.self])

    /// `coffer store job list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let jobs: [JobAnswer] = try await connection.withClient { try await $0.get("/-/v1/store/jobs") }
            try output.list(jobs, ["ID", "KIND", "STATE", "DONE", "SKIPPED", "TOTAL", "SIZE", "CREATED"]) { job in
                [
                    job.id, job.kind, job.state, "\(job.done)", "\(job.skipped)", "\(job.total)", Say.bytes(job.bytes),
                    Say.time(job.created),
                ]
            }
        }
    }

    /// `coffer store job show`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a job and the versions it skipped.")

        @Argument(help: "The job's id.")
        var id: String

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let job: JobAnswer = try await connection.withClient { try await $0.get("/-/v1/store/job", [("id", id)]) }
            try output.one(job) { job.lines }
        }
    }

    /// `coffer store job wait`.
    struct Wait: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Wait until a job ends.")

        @Argument(help: "The job's id.")
        var id: String

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            try await connection.withClient { try output.job(try await JobWatch($0).wait(for: id)) }
        }
    }

    /// `coffer store job cancel`.
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop a job. What it did stays done.")

        @Argument(help: "The job's id.")
        var id: String

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws { try await StoreJobCommand.change("cancel", id, connection, output) }
    }

    /// `coffer store job resume`.
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go on with a job that was cancelled or failed, or try skipped versions again.")

        @Argument(help: "The job's id.")
        var id: String

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: OutputOptions

        func run() async throws { try await StoreJobCommand.change("resume", id, connection, output) }
    }

    fileprivate static func change(
        _ verb: String, _ id: String, _ connection: ConnectionOptions, _ output: OutputOptions
    ) async throws {
        let job: JobAnswer = try await connection.withClient { client in
            try await client.decode(try await client.send(.POST, "/-/v1/store/job/\(verb)", [("id", id)]))
        }
        try output.one(job) { job.lines }
    }
}

/// Asks after a job until it ends.
struct JobWatch {
    private let client: NativeClient

    init(_ client: NativeClient) { self.client = client }

    func wait(for id: String) async throws -> JobAnswer {
        defer { Talk.endProgress() }
        var wait = Duration.milliseconds(100)
        while true {
            let job: JobAnswer = try await client.get("/-/v1/store/job", [("id", id)])
            guard job.state == "running" else { return job }
            Talk.progress("\(job.done + job.skipped) of \(job.total) versions, \(Say.bytes(job.bytes))")
            try await Task.sleep(for: wait)
            wait = min(wait * 2, .seconds(2))
        }
    }
}

extension JobAnswer {
    /// The job for people.
    var lines: [String] {
        var lines = ["job \(id): \(kind), \(state)"]
        lines.append("\(done) of \(total) versions changed, \(Say.bytes(bytes)); \(skipped) skipped")
        if !message.isEmpty { lines.append(message) }
        return lines + skips.map { "skipped \($0.version): \($0.reason)" }
    }
}

extension OutputOptions {
    /// Writes how a job ended; what it could not do ends the command with an exit code of its own.
    func job(_ job: JobAnswer) throws {
        try one(job) { job.lines }
        switch job.state {
        case "failed": throw CommandExit.refused
        case "cancelled": throw CommandExit.executionStopped
        default: if job.skipped > 0 { throw CommandExit.key }
        }
    }
}
