import Foundation
import Synchronization

/// Tells followers that a stream of this process has grown or ended.
final class LogNews: Sendable {
    private struct Waiter {
        let id: UUID
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var generations: [String: Int] = [:]
        /// The generation of streams that are not listed; counts up so that forgetting one is news as well.
        var unlisted = 0
        var waiters: [String: [Waiter]] = [:]
        var cancelled: Set<UUID> = []
    }

    private let state = Mutex(State())

    /// Counts up with every announcement; to be read before the stream is.
    func generation(of stream: String) -> Int {
        state.withLock { $0.generations[stream] ?? $0.unlisted }
    }

    func announce(_ stream: String) {
        let waiters = state.withLock { state in
            state.generations[stream] = (state.generations[stream] ?? state.unlisted) + 1
            return state.waiters.removeValue(forKey: stream) ?? []
        }
        for waiter in waiters { waiter.continuation.resume() }
    }

    /// Drops the count of a stream that has ended: readers see that in the catalog.
    func forget(_ stream: String) {
        state.withLock { state in
            let last = state.generations.removeValue(forKey: stream) ?? state.unlisted
            state.unlisted = max(state.unlisted, last) + 1
        }
    }

    /// Returns once something was announced after `generation` was read.
    func wait(for stream: String, after generation: Int) async throws {
        let id = UUID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    if state.generations[stream] ?? state.unlisted != generation { return true }
                    state.waiters[stream, default: []].append(Waiter(id: id, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters[stream]?.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters[stream]?.remove(at: index)
            }
            waiter?.continuation.resume()
        }
        _ = state.withLock { $0.cancelled.remove(id) }
        try Task.checkCancellation()
    }
}
