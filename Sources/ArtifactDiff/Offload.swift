import Dispatch

/// Runs computations off the cooperative pool, so that a long comparison delays nobody else's tasks.
enum Offload {
    private static let queue = DispatchQueue(label: "diff", qos: .utility, attributes: .concurrent)

    /// The result of `body`, computed on a thread of its own.
    static func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: body()) }
        }
    }
}
