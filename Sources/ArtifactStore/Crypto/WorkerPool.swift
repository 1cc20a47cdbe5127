import Synchronization

/// Lends workers to threads. As many exist as were ever needed at once.
final class WorkerPool: Sendable {
    private let idle = Mutex<[Worker]>([])
    private let level: Int

    init(level: Int) { self.level = level }

    func with<R>(_ body: (Worker) throws -> R) throws -> R {
        let worker = try idle.withLock { $0.popLast() } ?? Worker(level: level)
        defer { idle.withLock { $0.append(worker) } }
        return try body(worker)
    }
}
