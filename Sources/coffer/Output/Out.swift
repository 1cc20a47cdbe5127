import Foundation

/// Standard output: data, and nothing but data.
enum Out {
    static func line(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Writes all bytes; a reader that went away (a closed pipe) ends the process quietly, as it does for other tools.
    static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EPIPE { exit(CommandExit.done.rawValue) }
                Talk.error("cannot write to standard output: \(String(cString: strerror(errno)))")
                exit(CommandExit.refused.rawValue)
            }
            rest = rest.dropFirst(count)
        }
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}

/// Standard error: what is said to people.
enum Talk {
    static func line(_ text: String) { write(text + "\n") }

    static func error(_ text: String) { line("coffer: " + text) }

    /// A line that the next one overwrites, on terminals only.
    static func progress(_ text: String) {
        guard isTerminal else { return }
        write("\r\u{1B}[2K" + text)
    }

    static func endProgress() {
        guard isTerminal else { return }
        write("\r\u{1B}[2K")
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        // Nobody listens on a closed standard error; there is nowhere left to say so.
        _ = bytes.withUnsafeBytes { Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// Colours, where they help: on terminals, unless NO_COLOR is set (no-color.org).
enum Paint: String {
    case green = "32"
    case red = "31"
    case yellow = "33"
    case blue = "34"
    case dim = "2"
    case bold = "1"

    static let isOn: Bool = {
        let no = ProcessInfo.processInfo.environment["NO_COLOR"] ?? ""
        return no.isEmpty && Out.isTerminal && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }()

    func callAsFunction(_ text: String) -> String {
        Paint.isOn ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
    }

    /// The colour of a status word.
    static func status(_ word: String) -> String {
        switch word {
        case "Succeeded", "Approved", "ok": Paint.green(word)
        case "Failed", "Rejected", "failed": Paint.red(word)
        case "InProgress", "Stopping", "warning": Paint.blue(word)
        case "Stopped", "Superseded", "Cancelled", "Abandoned": Paint.yellow(word)
        default: word
        }
    }
}
