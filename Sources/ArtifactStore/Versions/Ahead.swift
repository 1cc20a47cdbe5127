import Dispatch
import Synchronization

/// Something that another thread is asked to compute ahead of its use. Whoever needs it gets it, or computes it when nobody
/// has begun: a busy machine loses nothing.
final class Ahead<Value: Sendable>: Sendable {
    /// waiting → running → done.
    private enum State {
        case waiting(@Sendable () throws -> Value)
        case running
        case done(Result<Value, any Error>)
    }

    private let state: Mutex<State>
    private let finished = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Value) { state = Mutex(.waiting(body)) }

    /// Computes the value unless somebody has begun to.
    func run() {
        guard let result = compute() else { return }
        state.withLock { $0 = .done(result) }
        finished.signal()
    }

    /// What only the body held is gone when this returns, and so before anybody learns of the value.
    private func compute() -> Result<Value, any Error>? {
        let body = state.withLock { state -> (@Sendable () throws -> Value)? in
            guard case .waiting(let body) = state else { return nil }
            state = .running
            return body
        }
        guard let body else { return nil }
        return Result { try body() }
    }

    /// The value. Blocks while another thread computes it; must be called off the cooperative pool.
    func value() throws -> Value {
        run()
        while true {
            if case .done(let result) = state.withLock({ $0 }) { return try result.get() }
            finished.wait()
            // For whoever else waits.
            finished.signal()
        }
    }
}
