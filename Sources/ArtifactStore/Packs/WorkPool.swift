import Foundation
import Synchronization

/// The store's own threads. Everything that blocks or computes for long runs here and never on the cooperative pool.
final class WorkPool: Sendable {
    private final class Queue: @unchecked Sendable {
        // Proof: `jobs`, `head` and `stopped` are touched only while `condition` is locked.
        let condition = NSCondition()
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var stopped = false

        func push(_ job: @escaping @Sendable () -> Void) {
            condition.lock()
            jobs.append(job)
            condition.signal()
            condition.unlock()
        }

        func pop() -> (@Sendable () -> Void)? {
            condition.lock()
            defer { condition.unlock() }
            while head == jobs.count {
                if stopped { return nil }
                condition.wait()
            }
            let job = jobs[head]
            head += 1
            if head > 1024 || head == jobs.count {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }

        func stop() {
            condition.lock()
            stopped = true
            condition.broadcast()
            condition.unlock()
        }
    }

    /// Threads that compute side by side.
    let threads: Int
    private let queue = Queue()

    init(threads: Int) {
        self.threads = max(1, threads)
        let queue = queue
        // Twice as many as cores: half of them may wait for the disk.
        for index in 0..<self.threads * 2 {
            let thread = Thread {
                while let job = queue.pop() { job() }
            }
            thread.name = "store-\(index)"
            // Directories nest: each level of a walk takes a few frames.
            thread.stackSize = 16 << 20
            thread.start()
        }
    }

    deinit { queue.stop() }

    /// Runs `job` on one of the threads, some time.
    func submit(_ job: @escaping @Sendable () -> Void) { queue.push(job) }

    /// Runs `body` on one of the threads. When this returns, the thread holds neither what `body` held nor its result: what
    /// is alive, such as a lease, does not depend on when the thread goes on.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let errand = Errand(body)
        await withCheckedContinuation { continuation in
            queue.push {
                errand.run()
                continuation.resume()
            }
        }
        return try errand.take()
    }

    /// A body, and then its result.
    private final class Errand<T: Sendable>: Sendable {
        /// waiting → running → done → taken.
        private enum State {
            case waiting(@Sendable () throws -> T)
            case running
            case done(Result<T, any Error>)
            case taken
        }

        private let state: Mutex<State>

        init(_ body: @escaping @Sendable () throws -> T) { state = Mutex(.waiting(body)) }

        func run() {
            let body = state.withLock { state -> (@Sendable () throws -> T)? in
                guard case .waiting(let body) = state else { return nil }
                state = .running
                return body
            }
            guard let body else { return }
            let result = Result { try body() }
            state.withLock { $0 = .done(result) }
        }

        func take() throws -> T {
            let result = state.withLock { state -> Result<T, any Error>? in
                guard case .done(let result) = state else { return nil }
                state = .taken
                return result
            }
            guard let result else { throw CancellationError() }
            return try result.get()
        }
    }

    /// Runs `body` for 0 ..< `count` on the calling thread and as many others as are free, and returns when all are done.
    /// After a failure no further ones are started; the first failure is thrown. May be called from the pool's threads:
    /// the caller works too, so it never waits for a thread that is not coming.
    func forEach(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        if count == 1 { return try body(0) }
        guard count > 1 else { return }
        let round = Round(count: count, body: body)
        for _ in 0..<min(threads, count) - 1 { queue.push { round.work() } }
        round.work()
        try round.finish()
    }

    private final class Round: @unchecked Sendable {
        // Proof: the mutable fields are touched only while `condition` is locked.
        private let condition = NSCondition()
        private let count: Int
        private let body: @Sendable (Int) throws -> Void
        private var next = 0
        private var running = 0
        private var failure: (any Error)?

        init(count: Int, body: @escaping @Sendable (Int) throws -> Void) {
            self.count = count
            self.body = body
        }

        private func claim() -> Int? {
            condition.lock()
            defer { condition.unlock() }
            guard next < count, failure == nil else { return nil }
            defer { next += 1 }
            running += 1
            return next
        }

        func work() {
            while let index = claim() {
                let result = Result { try body(index) }
                condition.lock()
                running -= 1
                if case .failure(let error) = result, failure == nil { failure = error }
                if running == 0 { condition.broadcast() }
                condition.unlock()
            }
        }

        func finish() throws {
            condition.lock()
            defer { condition.unlock() }
            while running > 0 { condition.wait() }
            if let failure { throw failure }
        }
    }
}
