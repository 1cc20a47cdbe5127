import AWSProtocol
import HTTPTypes
import PipelineEngine

/// `GET /-/v1/execution/watch`: an execution as one JSON line a change, until it is over.
enum WatchRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/execution/watch": watch]

    @Sendable static func watch(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("GetExecution", try request.require("pipeline"))
        let execution = try await request.namedExecution()
        return .lines(
            ExecutionChanges(
                lookup: request.executions, pipeline: execution.pipelineName, id: execution.id,
                isStopping: request.services.isStopping))
    }
}

extension ServiceResponse {
    /// JSON lines without a known end.
    static func lines(_ lines: any AsyncSequence<[UInt8], any Error> & Sendable) -> ServiceResponse {
        ServiceResponse(
            status: 200, headers: [.contentType: "application/jsonl", .cacheControl: "no-store"],
            body: .stream(length: nil, lines))
    }
}

/// When a line without an end has nothing to say: how long to wait before looking again, and when to show that the
/// connection lives, with an empty line.
struct Patience {
    static let lookMilliseconds = 150
    private static let linesEmptyAfter = Duration.seconds(15)
    private var lastSaid = ContinuousClock.now

    mutating func said() { lastSaid = .now }

    /// Waits; true when it is time for an empty line.
    mutating func wait() async throws -> Bool {
        try await Task.sleep(for: .milliseconds(Patience.lookMilliseconds))
        guard ContinuousClock.now - lastSaid > Patience.linesEmptyAfter else { return false }
        said()
        return true
    }
}

/// The states of an execution, one after the other. Ends with the execution, or with the server.
private struct ExecutionChanges: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let lookup: ExecutionLookup
    let pipeline: String
    let id: String
    let isStopping: @Sendable () -> Bool

    struct AsyncIterator: AsyncIteratorProtocol {
        let changes: ExecutionChanges
        var sequence: Int64?
        var latest: [UInt8] = []
        var isOver = false
        var patience = Patience()

        mutating func next() async throws(any Error) -> [UInt8]? {
            while !isOver && !changes.isStopping() {
                if try await hasNews() {
                    let line = try await state()
                    if line != latest {
                        latest = line
                        patience.said()
                        return line
                    }
                } else if try await patience.wait() {
                    return [10]
                }
            }
            return nil
        }

        /// Whether the pipeline has changed since the last look.
        private mutating func hasNews() async throws -> Bool {
            let (lookup, pipeline) = (changes.lookup, changes.pipeline)
            guard let known = sequence else {
                sequence = try await lookup.pipelines.pipelineState(pipeline, in: lookup.scope).sequence
                return true
            }
            let news = try await lookup.pipelines.changes(of: pipeline, after: known, in: lookup.scope)
            guard let last = news.last else { return false }
            sequence = last.sequence
            return true
        }

        private mutating func state() async throws -> [UInt8] {
            let lookup = changes.lookup
            let execution = try await lookup.pipelines.getExecution(
                changes.id, of: changes.pipeline, in: lookup.scope)
            isOver = !execution.status.isLive
            return try JSON.compact(try await lookup.answer(execution)) + [10]
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(changes: self) }
}
