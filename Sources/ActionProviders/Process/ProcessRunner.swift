import Foundation
import Synchronization

/// A finished command and what it said.
struct CommandResult: Sendable {
    let exit: ChildExit
    let output: [UInt8]
    let errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
}

/// Runs a command to its end, collecting what it prints up to a limit.
enum ProcessRunner {
    /// Cancelling the calling task stops the command; the result then says so.
    static func run(
        _ launch: Launch, timeout: Duration, outputBytesMax: Int = 16 << 20
    ) async throws -> CommandResult {
        var launch = launch
        launch.separatesErrors = true
        let collector = OutputCollector(bytesMax: outputBytesMax)
        let child = try await ChildProcess.start(launch, deadline: .now + timeout, observer: collector)
        let exit = await withTaskCancellationHandler {
            await collector.exit()
        } onCancel: {
            child.stop(.cancelled)
        }
        return collector.result(exit)
    }
}

/// Keeps a child's output in memory. Beyond the limit bytes are dropped: those who ask for much set a higher one.
final class OutputCollector: ChildObserver {
    private struct State {
        var output: [UInt8] = []
        var errors: [UInt8] = []
        var exit: ChildExit?
        var waiter: CheckedContinuation<ChildExit, Never>?
    }

    private let bytesMax: Int
    private let state = Mutex(State())

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var wantsOutput: Bool { true }

    func handle(_ event: ChildEvent) {
        switch event {
        case .output(let bytes):
            state.withLock { $0.output += bytes.prefix(bytesMax - $0.output.count) }
        case .errors(let bytes):
            state.withLock { $0.errors += bytes.prefix(bytesMax - $0.errors.count) }
        case .answer: break
        case .exited(let exit):
            let waiter = state.withLock { state -> CheckedContinuation<ChildExit, Never>? in
                state.exit = exit
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: exit)
        }
    }

    /// Waits for the end. One caller.
    func exit() async -> ChildExit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> ChildExit? in
                if state.exit == nil { state.waiter = continuation }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    func result(_ exit: ChildExit) -> CommandResult {
        state.withLock { state in
            CommandResult(
                exit: exit, output: state.output, errors: String(decoding: state.errors, as: UTF8.self))
        }
    }
}
