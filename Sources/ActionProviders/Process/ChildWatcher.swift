import CCofferShims
import Foundation
import Glibc
import Synchronization

/// The loop of one child's thread: start it, read its pipes, stop it when asked or late, reap it.
struct ChildWatcher {
    private enum Source: Int32 {
        case output, errors, answers, wake, exit
    }

    /// Time between the polite signal and the one that cannot be ignored.
    private static let grace: Duration = .seconds(2)

    private let child: ChildProcess
    private let observer: any ChildObserver
    private var deadline: ContinuousClock.Instant?
    private var killAt: ContinuousClock.Instant?
    private var pid: pid_t = 0
    private var readers: [Source: Int32] = [:]
    private var exitDescriptor: Int32 = -1

    init(child: ChildProcess, observer: any ChildObserver, deadline: ContinuousClock.Instant?) {
        self.child = child
        self.observer = observer
        self.deadline = deadline
    }

    // MARK: - Start

    mutating func launch(_ launch: Launch) throws {
        var opened: [Int32] = []
        do {
            try spawn(launch, opened: &opened)
        } catch {
            for descriptor in opened { close(descriptor) }
            child.finish()
            throw error
        }
    }

    private mutating func spawn(_ launch: Launch, opened: inout [Int32]) throws {
        func pipe() throws -> (reader: Int32, writer: Int32) {
            var ends: [Int32] = [-1, -1]
            let error = coffer_pipe(&ends)
            guard error == 0 else { throw ChildProcess.SpawnError.noPipe(errno: error) }
            opened += ends
            return (ends[0], ends[1])
        }
        let wake = try pipe()
        let output = try pipe()
        let errors = launch.separatesErrors ? try pipe() : output
        var theirs: [Int32] = []
        var control: Int32 = -1
        var input: Int32
        var answers: (reader: Int32, writer: Int32)?
        if launch.hasControlChannel {
            let commands = try pipe()
            // The child's shell expects to wait for its next line.
            _ = fcntl(commands.reader, F_SETFL, fcntl(commands.reader, F_GETFL) & ~O_NONBLOCK)
            input = commands.reader
            control = commands.writer
            answers = try pipe()
        } else {
            input = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard input >= 0 else { throw ChildProcess.SpawnError.cannotStart("/dev/null", errno: errno) }
            opened.append(input)
        }
        theirs = [input, output.writer, errors.writer]
        if let answers { theirs.append(answers.writer) }

        let error = Self.withCStrings([launch.executable] + launch.arguments) { arguments in
            Self.withCStrings(launch.environment.map { "\($0.key)=\($0.value)" }) { environment in
                coffer_spawn(
                    launch.executable, arguments, environment, launch.directory, theirs, theirs.count, &pid)
            }
        }
        guard error == 0 else { throw ChildProcess.SpawnError.cannotStart(launch.executable, errno: error) }
        for descriptor in Set(theirs) where !(launch.hasControlChannel && descriptor == input) { close(descriptor) }
        readers[.wake] = wake.reader
        readers[.output] = output.reader
        if launch.separatesErrors { readers[.errors] = errors.reader }
        if let answers { readers[.answers] = answers.reader }
        exitDescriptor = coffer_pidfd(pid)
        child.state.withLock {
            $0.wake = wake.writer
            $0.control = control
            $0.controlReader = launch.hasControlChannel ? input : -1
        }
    }

    private static func withCStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
        let pointers = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }

    // MARK: - Watch

    mutating func run() {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while !hasExited {
            let held = !observer.wantsOutput
            wait(held: held, into: &buffer)
            stopIfDue()
        }
        // Whatever outlived its parent in the same group goes too, before the id can be given to anyone else.
        kill(-pid, SIGKILL)
        // What became of a child that somebody else waited for is not known: never take it for a success.
        var status: Int32 = SIGKILL
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        for source in [Source.output, .errors, .answers] { drain(source, &buffer) }
        let stopped = child.state.withLock { $0.stop }
        child.finish()
        for descriptor in readers.values { close(descriptor) }
        if exitDescriptor >= 0 { close(exitDescriptor) }
        let signal = status & 0x7f
        let reason: ChildExit.Reason = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
        observer.handle(.exited(ChildExit(reason: reason, stopped: stopped)))
    }

    private var hasExited: Bool {
        var info = siginfo_t()
        let result = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT)
        // Without such a child there is nothing left to wait for.
        return result == 0 ? info.si_signo == SIGCHLD : errno == ECHILD
    }

    /// Waits until something can be read, the child ends or a time comes, and hands on what was read.
    private mutating func wait(held: Bool, into buffer: inout [UInt8]) {
        var polled: [pollfd] = []
        var sources: [Source] = []
        for (source, descriptor) in readers where !(held && (source == .output || source == .errors)) {
            polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
            sources.append(source)
        }
        if exitDescriptor >= 0 {
            polled.append(pollfd(fd: exitDescriptor, events: Int16(POLLIN), revents: 0))
            sources.append(.exit)
        }
        let count = poll(&polled, nfds_t(polled.count), timeout(held: held))
        guard count > 0 else { return }
        let ready = zip(sources, polled).filter { $0.1.revents != 0 }.map(\.0)
        if ready.contains(.wake) { read(.wake, &buffer) }
        // Output written before an answer is already in its pipe: take it first, so that lines keep their order.
        if ready.contains(.answers), !held { drain(.output, &buffer) }
        for source in [Source.output, .errors] where ready.contains(source) { read(source, &buffer) }
        if ready.contains(.answers), !held { read(.answers, &buffer) }
    }

    private func timeout(held: Bool) -> Int32 {
        var milliseconds = held || exitDescriptor < 0 ? 20.0 : 60_000
        let now = ContinuousClock.now
        for instant in [deadline, killAt] {
            guard let instant else { continue }
            milliseconds = min(milliseconds, max(0, (instant - now) / .milliseconds(1)) + 1)
        }
        return Int32(milliseconds)
    }

    private mutating func stopIfDue() {
        let now = ContinuousClock.now
        if let deadline, now >= deadline {
            self.deadline = nil
            child.state.withLock { if $0.stop == nil { $0.stop = .timedOut } }
        }
        guard child.state.withLock({ $0.stop }) != nil else { return }
        deadline = nil
        if let killAt {
            if now >= killAt {
                kill(-pid, SIGKILL)
                self.killAt = now + Self.grace
            }
        } else {
            kill(-pid, SIGTERM)
            killAt = now + Self.grace
        }
    }

    // MARK: - Read

    private mutating func drain(_ source: Source, _ buffer: inout [UInt8]) {
        while read(source, &buffer) {}
    }

    /// Reads once. False when there is nothing more for now or for ever.
    @discardableResult private mutating func read(_ source: Source, _ buffer: inout [UInt8]) -> Bool {
        guard let descriptor = readers[source] else { return false }
        let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 { return errno == EINTR }
        if count == 0 {
            close(descriptor)
            readers[source] = nil
            return false
        }
        let bytes = Array(buffer[..<count])
        switch source {
        case .output: observer.handle(.output(bytes))
        case .errors: observer.handle(.errors(bytes))
        case .answers: observer.handle(.answer(bytes))
        case .wake, .exit: break
        }
        return true
    }
}
