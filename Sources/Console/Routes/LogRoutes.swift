import AWSProtocol
import ActionProviders
import PipelineEngine

/// `GET /-/v1/execution/logs`: what an execution's commands wrote, as JSON lines; with `follow`, as they write it.
enum LogRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/execution/logs": logs]

    @Sendable static func logs(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetLogs", try request.require("pipeline"))
        let execution = try await request.namedExecution()
        return .lines(
            LogEntries(
                lookup: request.executions, logs: request.services.providers.buildLogs,
                pipeline: execution.pipelineName, id: execution.id, action: request.value("action"),
                follows: request.isSet("follow"), isStopping: request.services.isStopping))
    }
}

/// Log lines of an execution's actions, in the order in which the actions began.
private struct LogEntries: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let lookup: ExecutionLookup
    let logs: BuildLogs
    let pipeline: String
    let id: String
    /// `ACTION` or `STAGE/ACTION`; nil for all.
    let action: String?
    let follows: Bool
    let isStopping: @Sendable () -> Bool

    struct AsyncIterator: AsyncIteratorProtocol {
        let entries: LogEntries
        var offsets: [String: Int64] = [:]
        var finished: Set<String> = []
        var isOver = false
        var patience = Patience()

        mutating func next() async throws(any Error) -> [UInt8]? {
            while !isOver && !entries.isStopping() {
                // In this order: an execution that was over before we looked cannot have begun another action since.
                let execution = try await entries.lookup.pipelines.getExecution(
                    entries.id, of: entries.pipeline, in: entries.lookup.scope)
                let runs = try await entries.lookup.runs(of: execution).filter(entries.isMeant)
                if let lines = try await more(runs) {
                    patience.said()
                    return lines
                }
                if !entries.follows || !execution.status.isLive {
                    isOver = true
                } else if try await patience.wait() {
                    return [10]
                }
            }
            return nil
        }

        /// The next lines of the first stream that has some.
        private mutating func more(_ runs: [ActionExecutionDetail]) async throws -> [UInt8]? {
            for run in runs {
                guard let stream = run.progress.logStream, !finished.contains(stream) else { continue }
                let page = try await entries.logs.lines(of: stream, from: offsets[stream] ?? 0, limit: 500)
                guard let page else {
                    finished.insert(stream)
                    continue
                }
                offsets[stream] = page.nextOffset
                if page.isLast { finished.insert(stream) }
                if !page.lines.isEmpty {
                    return try page.lines.flatMap { line in
                        try JSON.compact(
                            LogEntry(
                                stage: run.stageName, action: run.actionName, time: line.timestamp, text: line.text))
                            + [10]
                    }
                }
            }
            return nil
        }
    }

    private func isMeant(_ run: ActionExecutionDetail) -> Bool {
        action == nil || action == run.actionName || action == "\(run.stageName)/\(run.actionName)"
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(entries: self) }
}
