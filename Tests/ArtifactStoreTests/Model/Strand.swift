import Synchronization

/// An operation that goes on only when it is told to, so that a seed decides in which order the steps of several happen.
final class Strand: Sendable {
    /// The strand that the current task belongs to.
    @TaskLocal static var current: Strand?

    let name: String
    private let state = Mutex(State())

    private struct State {
        var parked: CheckedContinuation<Void, Never>?
        var conductor: CheckedContinuation<Void, Never>?
        var isDone = false
    }

    init(_ name: String) { self.name = name }

    var isDone: Bool { state.withLock { $0.isDone } }

    /// Begins `body` and returns at its first pause, or when it has ended.
    func start(_ body: @escaping @Sendable () async -> Void) async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.conductor = continuation }
            // Unstructured, since it outlives this call; whoever conducts proceeds it to its end.
            Task {
                await Strand.$current.withValue(self) { await body() }
                state.withLock { state -> CheckedContinuation<Void, Never>? in
                    state.isDone = true
                    defer { state.conductor = nil }
                    return state.conductor
                }?.resume()
            }
        }
    }

    /// Lets it go on to its next pause or its end.
    func proceed() async {
        guard !isDone else { return }
        await withCheckedContinuation { continuation in
            state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.conductor = continuation
                defer { state.parked = nil }
                return state.parked
            }?.resume()
        }
    }

    /// Called within the strand: waits for so many times of `proceed`.
    static func pause(_ times: Int) async { for _ in 0..<times { await pause() } }

    /// Called within the strand: waits for the next `proceed`.
    static func pause() async {
        guard let strand = current else { return }
        await withCheckedContinuation { continuation in
            strand.state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.parked = continuation
                defer { state.conductor = nil }
                return state.conductor
            }?.resume()
        }
    }
}
