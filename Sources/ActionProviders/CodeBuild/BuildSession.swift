import Foundation
import Glibc
import Synchronization

/// The shell of one build: a small loop inside the sandbox that runs one script after the other.
///
/// Each command has a shell of its own, so that `exit` ends the command and not the build; variables and the working
/// directory are handed from one to the next, as in CodeBuild's agent. All commands share one sandbox: what one
/// starts in the background is there for the next. Scripts are in a directory that the build can read but not
/// write; answers come on a descriptor that commands do not have.
final class BuildSession: ChildObserver {
    /// How a script ended.
    enum Outcome: Sendable, Equatable {
        case finished(status: Int32, answer: [UInt8])
        /// The whole sandbox ended.
        case ended(ChildExit)
    }

    /// What a session needs to know.
    struct Setup: Sendable {
        var layout: JobLayout
        /// `/bin/sh` or `/bin/bash`.
        var shell: String
        /// Where commands start, as they see it.
        var directory: String
        var environment: [(name: String, value: String)]
        /// Whether variables and directory carry over.
        var isContinuous: Bool
        var limits: SandboxLimits
        /// When everything is stopped.
        var deadline: ContinuousClock.Instant?
    }

    private struct State {
        var token: String?
        var waiter: CheckedContinuation<Outcome, Never>?
        var answer: [UInt8] = []
        var exit: ChildExit?
        var exitWaiter: CheckedContinuation<ChildExit, Never>?
        var child: ChildProcess?
    }

    private static let answerBytesMax = 8 << 20

    private let setup: Setup
    private let log: BuildLog
    private let state = Mutex(State())

    private init(_ setup: Setup, log: BuildLog) {
        self.setup = setup
        self.log = log
    }

    /// Starts the loop; its output goes to `log`.
    static func start(_ setup: Setup, sandbox: Sandbox, log: BuildLog) async throws -> BuildSession {
        let session = BuildSession(setup, log: log)
        try session.write("environment.sh", session.environmentScript)
        var launch = try sandbox.launch(
            ["/bin/sh", "-c", session.loopScript], environment: ["PATH": Self.searchPath], in: setup.layout)
        launch.hasControlChannel = true
        let child = try await ChildProcess.start(launch, deadline: setup.deadline, observer: session)
        session.state.withLock { $0.child = child }
        return session
    }

    static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    // MARK: - Scripts

    private var control: String { setup.layout.seen(setup.layout.control) }
    private var saved: String { setup.layout.seen(setup.layout.codebuild) + "/output/tmp" }

    static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

    private var environmentScript: String {
        setup.environment.map { "export \($0.name)=\(Self.quoted($0.value))\n" }.joined()
    }

    private var loopScript: String {
        let memory = setup.limits.processMemoryBytesMax.map { "ulimit -d \(max(1, $0 / 1024))\n" } ?? ""
        return """
            umask 022
            ulimit -c 0
            ulimit -n \(setup.limits.openFilesMax) 2>/dev/null
            \(memory). \(Self.quoted(control + "/environment.sh"))
            cd \(Self.quoted(setup.directory))
            while IFS= read -r coffer_step; do
                case $coffer_step in
                c*) \(setup.shell) \(Self.quoted(control))/"$coffer_step.sh" </dev/null 3>&- ;;
                *) \(setup.shell) \(Self.quoted(control))/"$coffer_step.sh" </dev/null ;;
                esac
                printf 'exit %s %s\\n' "$coffer_step" "$?" >&3
            done
            """
    }

    /// What comes before a command: the state that the one before it left.
    private func prologue(isSucceeding: Bool) -> String {
        let directory = Self.quoted(saved + "/dir.txt")
        let restore = """
            [ -f \(Self.quoted(saved + "/env.sh")) ] && . \(Self.quoted(saved + "/env.sh"))
            [ -f \(directory) ] && cd "$(cat \(directory))" 2>/dev/null

            """
        return (setup.isContinuous ? restore : "") + "export CODEBUILD_BUILD_SUCCEEDING=\(isSucceeding ? 1 : 0)\n"
    }

    private var keepState: String {
        guard setup.isContinuous else { return "" }
        let environment = saved + "/env.sh"
        let directory = saved + "/dir.txt"
        return "trap 'CODEBUILD_LAST_EXIT=$?; export CODEBUILD_LAST_EXIT; export -p >\"\(environment)\"; "
            + "pwd >\"\(directory)\"; exit $CODEBUILD_LAST_EXIT' EXIT\nset -a\n"
    }

    private func write(_ name: String, _ text: String) throws {
        let path = "\(setup.layout.control)/\(name)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw FileError(operation: "make", path: path, code: errno) }
        defer { Glibc.close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw FileError(operation: "write", path: path, code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: - Running

    /// Runs one command of the buildspec.
    func run(_ command: String, isSucceeding: Bool) async throws -> Outcome {
        let token = "c" + Self.nonce()
        try write("\(token).cmd", command + "\n")
        let script = prologue(isSucceeding: isSucceeding) + keepState + ". \(Self.quoted("\(control)/\(token).cmd"))\n"
        try write("\(token).sh", script)
        return await step(token)
    }

    /// Runs a script of ours where the commands left off, and returns what it writes to descriptor 3.
    func ask(_ script: String) async throws -> [UInt8]? {
        let token = "q" + Self.nonce()
        try write("\(token).sh", prologue(isSucceeding: true) + script + "\n")
        guard case .finished(_, let answer) = await step(token) else { return nil }
        return answer
    }

    /// The variables as the commands left them.
    func variables() async throws -> [String: String] {
        let answer = try await ask("env -0 >&3") ?? []
        var result: [String: String] = [:]
        for entry in answer.split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            result[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return result
    }

    /// `texts` with their variables and `$(…)` expanded as in double quotes.
    func expand(_ texts: [String]) async throws -> [String] {
        guard texts.contains(where: { $0.contains("$") || $0.contains("`") }) else { return texts }
        let words = texts.map { "\"" + $0.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\"" }
        guard let answer = try await ask("printf '%s\\0' \(words.joined(separator: " ")) >&3") else { return texts }
        let parts = answer.split(separator: 0, omittingEmptySubsequences: false).dropLast()
        guard parts.count == texts.count else { return texts }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Ends everything, and says how the loop had ended if it did before.
    func close() async -> ChildExit {
        stop(.cancelled)
        return await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> ChildExit? in
                if state.exit == nil { state.exitWaiter = continuation }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    /// Kills whatever runs.
    func stop(_ cause: StopCause) {
        state.withLock { $0.child }?.stop(cause)
    }

    private static func nonce() -> String { UUID().uuidString.filter(\.isHexDigit).lowercased() }

    private func step(_ token: String) async -> Outcome {
        await withCheckedContinuation { continuation in
            let (child, exit) = state.withLock { state in
                state.token = token
                state.answer = []
                if state.exit == nil { state.waiter = continuation }
                return (state.child, state.exit)
            }
            if let exit { return continuation.resume(returning: .ended(exit)) }
            // When the child is gone, its end is on its way and resumes the waiter.
            _ = child?.send(token)
        }
    }

    // MARK: - Observing

    var wantsOutput: Bool { log.wantsOutput }

    func handle(_ event: ChildEvent) {
        switch event {
        case .output(let bytes), .errors(let bytes): log.append(output: bytes)
        case .answer(let bytes):
            let resumption = state.withLock { state -> (CheckedContinuation<Outcome, Never>, Outcome)? in
                if state.answer.count < Self.answerBytesMax { state.answer += bytes }
                guard let waiter = state.waiter, let outcome = Self.outcome(state) else { return nil }
                state.waiter = nil
                return (waiter, outcome)
            }
            if let (waiter, outcome) = resumption { waiter.resume(returning: outcome) }
        case .exited(let exit):
            let (waiter, exitWaiter) = state.withLock { state in
                state.exit = exit
                defer { (state.waiter, state.exitWaiter) = (nil, nil) }
                return (state.waiter, state.exitWaiter)
            }
            waiter?.resume(returning: .ended(exit))
            exitWaiter?.resume(returning: exit)
        }
    }

    /// The outcome once the loop's closing line `exit TOKEN STATUS` has come.
    private static func outcome(_ state: State) -> Outcome? {
        guard let token = state.token, state.answer.last == UInt8(ascii: "\n") else { return nil }
        let mark = Array("exit \(token) ".utf8)
        let tail = state.answer.dropLast().suffix(mark.count + 3)
        // The status has one to three digits, so the mark is at one of three places from the end.
        for digits in 1...3 {
            let line = tail.suffix(mark.count + digits)
            guard line.count == mark.count + digits, line.starts(with: mark),
                let status = Int32(String(decoding: line.suffix(digits), as: UTF8.self))
            else { continue }
            return .finished(status: status, answer: Array(state.answer.dropLast(line.count + 1)))
        }
        return nil
    }
}
