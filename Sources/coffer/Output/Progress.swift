import ArgumentParser
import Foundation
import Synchronization

/// Whether long work says how far it is.
struct ProgressOptions: ParsableArguments {
    @Flag(name: [.customShort("q"), .customLong("quiet")], help: "Say nothing about progress.")
    var isQuiet = false

    /// Progress for a command: shown on a terminal only, and not beside output that is meant for programs.
    func progress(_ deed: String, _ format: OutputFormat? = nil) -> ProgressLine {
        let isForPrograms = format == .json || format == .jsonl
        return ProgressLine(deed, isShown: Talk.isTerminal && !isQuiet && !isForPrograms)
    }
}

/// One line on a terminal that says how far some work is; silent elsewhere. Thread-safe.
final class ProgressLine: Sendable {
    let isShown: Bool
    private let state: Mutex<State>

    private struct State {
        var deed: String
        var done: Int64 = 0
        var total: Int64?
        var shown = Date.distantPast
    }

    init(_ deed: String, isShown: Bool) {
        self.isShown = isShown
        state = Mutex(State(deed: deed))
    }

    /// Begins another part of the work.
    func begin(_ deed: String, total: Int64?) {
        state.withLock { state in
            state.deed = deed
            state.done = 0
            state.total = total
        }
        add(0)
    }

    /// So many more bytes are done.
    func add(_ bytes: Int64) {
        let text = state.withLock { state -> String? in
            state.done += bytes
            let now = Date()
            // Ten times a second is as much as anybody can read.
            guard isShown, now.timeIntervalSince(state.shown) >= 0.1 else { return nil }
            state.shown = now
            return ProgressLine.text(state.deed, state.done, state.total)
        }
        if let text { Talk.progress(text) }
    }

    /// Removes the line.
    func end() { if isShown { Talk.endProgress() } }

    /// `sending 1.20 MiB of 3.00 MiB, 40 %`.
    static func text(_ deed: String, _ done: Int64, _ total: Int64?) -> String {
        guard let total, total > 0 else { return "\(deed) \(Say.bytes(done))" }
        return "\(deed) \(Say.bytes(done)) of \(Say.bytes(total)), \(min(100, done * 100 / total)) %"
    }
}
