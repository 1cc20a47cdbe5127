import Foundation
import Synchronization

/// Waits a bounded time for work that may never end, such as a file operation on a network volume that has stalled: no
/// signal and no cancellation reaches a thread that waits for one.
package enum BoundedWait {
    /// What `work` answers, or nil when it has not within `patience`. Then it goes on by itself, and whoever gave it up must
    /// see to it that no more of its kind is begun before it ends.
    package static func answer<T: Sendable>(
        within patience: Duration, _ work: @escaping @Sendable () async throws -> T
    ) async throws -> T? {
        let box = Box<T>()
        return try await withCheckedThrowingContinuation { continuation in
            box.begin(continuation)
            // Neither task is a child of this one: that would have to wait for it.
            let clock = Task {
                // A cancelled sleep has been overtaken by the answer.
                guard (try? await Task.sleep(for: patience)) != nil else { return }
                box.end(.success(nil))
            }
            Task {
                let result: Result<T?, any Error>
                do { result = .success(try await work()) } catch { result = .failure(error) }
                box.end(result)
                clock.cancel()
            }
        }
    }

    /// The same for work that blocks its thread, which is one of its own.
    package static func blocking<T: Sendable>(
        within patience: Duration, _ work: @escaping @Sendable () -> T
    ) async throws -> T? {
        try await answer(within: patience) {
            await withCheckedContinuation { continuation in
                DispatchQueue.global(qos: .utility).async { continuation.resume(returning: work()) }
            }
        }
    }

    /// Resumes whoever waits, once.
    private final class Box<T: Sendable>: Sendable {
        private let waiting = Mutex<CheckedContinuation<T?, any Error>?>(nil)

        func begin(_ continuation: CheckedContinuation<T?, any Error>) { waiting.withLock { $0 = continuation } }

        func end(_ result: Result<T?, any Error>) {
            let taken = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            taken?.resume(with: result)
        }
    }
}
