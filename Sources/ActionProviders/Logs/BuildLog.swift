import Foundation
import Synchronization

/// What one build says, on its way to the catalog. Written to by the build's thread and tasks, emptied by one pump.
final class BuildLog: Sendable {
    struct Pending: Sendable {
        let timestamp: Date
        let text: String
    }

    private struct State {
        var lines: [Pending] = []
        var bytes = 0
        var partial: [UInt8] = []
        var outputLeft: Int
        var isFinished = false
        var isAbandoned = false
        var tail: [String] = []
        var pauser: CheckedContinuation<Void, Never>?
    }

    /// Bytes that may wait for the catalog before the build has to.
    private static let pendingBytesMax = 4 << 20
    /// A longer line is cut in pieces.
    private static let lineBytesMax = 64 << 10
    /// Values shorter than this are not masked: they would blacken harmless text.
    private static let maskedCountMin = 4
    private static let tailCount = 200

    /// One element whenever there is something to take.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let outputBytesMax: Int
    private let masked: [String]
    private let now: @Sendable () -> Date
    private let state: Mutex<State>

    init(outputBytesMax: Int, masking: [String], now: @escaping @Sendable () -> Date) {
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.outputBytesMax = outputBytesMax
        // Longer values first, so that a value within another does not leave the other's rest behind.
        self.masked = masking.filter { $0.count >= Self.maskedCountMin }.sorted { $0.count > $1.count }
        self.now = now
        state = Mutex(State(outputLeft: outputBytesMax))
    }

    // MARK: - Writing

    /// False while the catalog is behind: the build's output waits in its pipe.
    var wantsOutput: Bool { state.withLock { $0.bytes < Self.pendingBytesMax || $0.isAbandoned } }

    /// A line in the form of CodeBuild's agent: `[Container] 2024/08/03 05:12:48.191449 TEXT`.
    func note(_ text: String) {
        let time = now()
        var lines = masked(text).split(separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        state.withLock { state in
            endPartial(&state, time)
            add("[Container] \(Self.stamp(time)) \(lines[0])", at: time, &state)
            for line in lines.dropFirst() { add(String(line), at: time, &state) }
        }
        signal.yield()
    }

    /// What a command printed.
    func append(output bytes: [UInt8]) {
        let time = now()
        state.withLock { state in
            guard state.outputLeft > 0 else { return }
            let kept = bytes.prefix(state.outputLeft)
            state.outputLeft -= kept.count
            for byte in kept {
                if byte == UInt8(ascii: "\n") {
                    endPartial(&state, time, always: true)
                } else {
                    state.partial.append(byte)
                    if state.partial.count >= Self.lineBytesMax { endPartial(&state, time) }
                }
            }
            if state.outputLeft == 0 {
                endPartial(&state, time)
                add(
                    "[Container] \(Self.stamp(time)) Output exceeds \(outputBytesMax) bytes; the rest is not recorded",
                    at: time, &state)
            }
        }
        signal.yield()
    }

    /// The last lines of output, for patterns of `on-failure`.
    var tail: [String] { state.withLock { $0.tail } }

    /// Ends a line that has no end of line yet: the command that printed it is done.
    func endLine() {
        let time = now()
        state.withLock { endPartial(&$0, time) }
        signal.yield()
    }

    /// Nothing more will be written.
    func finish() {
        let time = now()
        let pauser = state.withLock { state in
            endPartial(&state, time)
            state.isFinished = true
            defer { state.pauser = nil }
            return state.pauser
        }
        pauser?.resume()
        signal.yield()
    }

    private func endPartial(_ state: inout State, _ time: Date, always: Bool = false) {
        guard always || !state.partial.isEmpty else { return }
        if state.partial.last == UInt8(ascii: "\r") { state.partial.removeLast() }
        let text = masked(String(decoding: state.partial, as: UTF8.self))
        state.partial.removeAll(keepingCapacity: true)
        state.tail.append(text)
        if state.tail.count > Self.tailCount { state.tail.removeFirst(state.tail.count - Self.tailCount) }
        add(text, at: time, &state)
    }

    private func add(_ text: String, at time: Date, _ state: inout State) {
        guard !state.isAbandoned else { return }
        state.lines.append(Pending(timestamp: time, text: text))
        state.bytes += text.utf8.count + 16
    }

    private func masked(_ text: String) -> String {
        masked.reduce(text) { $0.replacing($1, with: "***") }
    }

    /// `2024/08/03 05:12:48.191449`, UTC.
    private static func stamp(_ time: Date) -> String {
        let microseconds = Int64((time.timeIntervalSince1970 * 1_000_000).rounded())
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let parts = CivilTime(secondsSince1970: seconds)
        return parts.text(dateSeparator: "/", between: " ", timeSeparator: ":")
            + "." + String(String(fraction + 1_000_000).dropFirst())
    }

    // MARK: - The pump's side

    func take() -> (lines: [Pending], isFinished: Bool) {
        state.withLock { state in
            defer { (state.lines, state.bytes) = ([], 0) }
            return (state.lines, state.isFinished)
        }
    }

    /// The catalog cannot be written: drops what comes, so that the build can end.
    func abandon() {
        state.withLock { state in
            state.isAbandoned = true
            (state.lines, state.bytes) = ([], 0)
        }
    }

    /// Waits a little, less when the build ends.
    func pause(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isFinished { state.pauser = continuation }
                return state.isFinished
            }
            if isOver { return continuation.resume() }
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(duration / .milliseconds(1)))) {
                let pauser = self.state.withLock { state in
                    defer { state.pauser = nil }
                    return state.pauser
                }
                pauser?.resume()
            }
        }
    }
}
