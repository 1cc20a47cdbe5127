import Synchronization

/// Lets all commits that wait during one flush share the next.
final class FlushGroup: Sendable {
    private struct Waiter {
        var packs: Set<UInt32>
        var continuation: CheckedContinuation<[PackWriter.Durable], any Error>
    }

    private struct State {
        var waiting: [Waiter] = []
        var isRunning = false
    }

    private let packs: PackStore
    private let pool: WorkPool
    private let state = Mutex(State())

    init(packs: PackStore, pool: WorkPool) {
        self.packs = packs
        self.pool = pool
    }

    /// Makes everything in the given packs durable, together with whoever else asks meanwhile.
    func flush(_ numbers: Set<UInt32>) async throws -> [PackWriter.Durable] {
        if numbers.isEmpty { return [] }
        return try await withCheckedThrowingContinuation { continuation in
            let starts = state.withLock { state -> Bool in
                state.waiting.append(Waiter(packs: numbers, continuation: continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if starts { pool.submit { [self] in work() } }
        }
    }

    /// Flushes side by side: the device merges what it is asked at the same time.
    private func flushAll(_ numbers: Set<UInt32>) throws -> [PackWriter.Durable] {
        let list = numbers.sorted()
        let results = Mutex<[PackWriter.Durable]>([])
        let packs = packs
        try pool.forEach(list.count) { index in
            let durables = try packs.flush([list[index]])
            results.withLock { $0 += durables }
        }
        return results.withLock { $0 }.sorted { $0.number < $1.number }
    }

    private func work() {
        while true {
            let batch = state.withLock { state -> [Waiter] in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isRunning = false }
                return state.waiting
            }
            if batch.isEmpty { return }
            let result = Result { try flushAll(batch.reduce(into: []) { $0.formUnion($1.packs) }) }
            for waiter in batch {
                waiter.continuation.resume(
                    with: result.map { $0.filter { waiter.packs.contains($0.number) } })
            }
        }
    }
}
