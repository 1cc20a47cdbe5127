/// The port number, once the port is open.
final class Bound: Sendable {
    private let numbers: AsyncStream<Int>
    private let source: AsyncStream<Int>.Continuation

    init() { (numbers, source) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func resolve(_ port: Int?) {
        if let port { source.yield(port) }
        source.finish()
    }

    /// Nil when this task was cancelled before the port opened.
    func port() async -> Int? {
        for await number in numbers { return number }
        return nil
    }
}
