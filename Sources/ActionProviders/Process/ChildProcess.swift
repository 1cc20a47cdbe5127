import CCofferShims
import Foundation
import Glibc
import Synchronization

/// What to start. Nothing of the server's environment or descriptors reaches the child unless named here.
struct Launch: Sendable {
    var executable: String
    /// Without the name of the program itself.
    var arguments: [String]
    var environment: [String: String]
    var directory: String?
    /// Whether standard error goes its own way rather than into standard output, in the order written.
    var separatesErrors = false
    /// Whether the child reads commands on descriptor 0 and answers on descriptor 3.
    var hasControlChannel = false
}

/// Why a child was stopped before it ended by itself.
enum StopCause: Sendable, Equatable {
    case cancelled
    case timedOut
}

/// How a child ended.
struct ChildExit: Sendable, Equatable {
    enum Reason: Sendable, Equatable {
        case exited(Int32)
        case signalled(Int32)
    }
    let reason: Reason
    let stopped: StopCause?

    var succeeded: Bool { reason == .exited(0) && stopped == nil }

    /// The number a shell would report: the exit status, or 128 plus the signal.
    var status: Int32 {
        switch reason {
        case .exited(let status): status
        case .signalled(let signal): 128 + signal
        }
    }
}

/// What the watching thread reports, in order. `exited` is last and comes exactly once.
enum ChildEvent: Sendable {
    case output([UInt8])
    case errors([UInt8])
    case answer([UInt8])
    case exited(ChildExit)
}

/// Receives a child's events on its watching thread; may block that thread, and nobody else.
protocol ChildObserver: Sendable {
    /// False holds the child's output back: its pipe fills and the child waits.
    var wantsOutput: Bool { get }
    func handle(_ event: ChildEvent)
}

/// A child process in a session and process group of its own.
///
/// A dedicated thread starts it, reads its pipes and waits for it: the cooperative pool never blocks, and the
/// parent-death signal that the sandbox asks for is bound to a thread that lives as long as the child.
final class ChildProcess: Sendable {
    enum SpawnError: Error, CustomStringConvertible {
        case cannotStart(String, errno: Int32)
        case noPipe(errno: Int32)

        var description: String {
            switch self {
            case .cannotStart(let executable, let code):
                "cannot start \(executable): \(String(cString: strerror(code)))"
            case .noPipe(let code): "cannot make a pipe: \(String(cString: strerror(code)))"
            }
        }
    }

    struct State {
        var stop: StopCause?
        var control: Int32 = -1
        /// The child's end of the control pipe. Kept open so that writing to a child that just died is no signal.
        var controlReader: Int32 = -1
        var wake: Int32 = -1
        var ended = false
    }

    let state = Mutex(State())

    private init() {}

    /// Starts `launch`; returns when the child runs. `deadline` stops it with ``StopCause/timedOut``.
    static func start(
        _ launch: Launch, deadline: ContinuousClock.Instant?, observer: any ChildObserver
    ) async throws -> ChildProcess {
        let child = ChildProcess()
        return try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<ChildProcess, any Error>) in
            let thread = Thread {
                var watcher = ChildWatcher(child: child, observer: observer, deadline: deadline)
                do {
                    try watcher.launch(launch)
                } catch {
                    continuation.resume(throwing: error)
                    return
                }
                continuation.resume(returning: child)
                watcher.run()
            }
            thread.name = "coffer-child"
            thread.start()
        }
    }

    /// Asks the child and everything it started to end; the observer hears `exited` when they have.
    func stop(_ cause: StopCause) {
        state.withLock { state in
            guard !state.ended, state.stop == nil else { return }
            state.stop = cause
            Self.write([0], to: state.wake)
        }
    }

    /// Sends one short line to the child's control channel. False when the child is gone.
    func send(_ line: String) -> Bool {
        state.withLock { state in
            guard !state.ended, state.control >= 0 else { return false }
            return Self.write(Array((line + "\n").utf8), to: state.control)
        }
    }

    /// Writes a few bytes to a pipe; they are far fewer than a pipe holds, so this does not wait.
    @discardableResult private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        guard descriptor >= 0 else { return false }
        return bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
    }

    /// Marks the child as gone and closes our ends of its control and wake pipes.
    func finish() {
        state.withLock { state in
            state.ended = true
            if state.control >= 0 { close(state.control) }
            if state.controlReader >= 0 { close(state.controlReader) }
            if state.wake >= 0 { close(state.wake) }
            state.control = -1
            state.controlReader = -1
            state.wake = -1
        }
    }
}
