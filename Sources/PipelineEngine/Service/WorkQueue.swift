import Synchronization

/// Something for the driver to do outside of a transaction.
enum WorkItem: Sendable {
    case job(String)
    case check(CheckTicket)
}

/// What this process has to do, in order, without duplicates. The catalogue knows all of it too, so that the queue can
/// be lost.
final class WorkQueue: Sendable {
    let items: AsyncStream<WorkItem>
    private let continuation: AsyncStream<WorkItem>.Continuation
    private let known = Mutex<(jobs: Set<String>, checks: Set<CheckTicket>)>(([], []))

    init() {
        (items, continuation) = AsyncStream.makeStream()
    }

    func add(job: String) {
        if known.withLock({ $0.jobs.insert(job).inserted }) { continuation.yield(.job(job)) }
    }

    func add(check: CheckTicket) {
        if known.withLock({ $0.checks.insert(check).inserted }) { continuation.yield(.check(check)) }
    }

    /// Forgets an item that was dealt with, so that it may be added again.
    func done(_ item: WorkItem) {
        known.withLock { known in
            switch item {
            case .job(let id): known.jobs.remove(id)
            case .check(let ticket): known.checks.remove(ticket)
            }
        }
    }
}

/// Lets a bounded number of tasks pass.
actor Slots {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func give() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}

/// Tells watchers that something changed in a pipeline.
final class ChangeHub: Sendable {
    private let watchers = Mutex<(next: Int, streams: [Int: (pipeline: String, AsyncStream<Void>.Continuation)])>(
        (0, [:]))

    /// A stream with an element whenever something changed; several changes may make one element.
    func watch(_ pipeline: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = watchers.withLock { state in
            state.next += 1
            state.streams[state.next] = (pipeline, continuation)
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.watchers.withLock { $0.streams.removeValue(forKey: id) }
        }
        return stream
    }

    func changed(_ pipelines: Set<String>) {
        let interested = watchers.withLock { state in
            state.streams.values.filter { pipelines.contains($0.pipeline) }.map(\.1)
        }
        for continuation in interested { continuation.yield() }
    }
}
