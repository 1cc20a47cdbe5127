import ArgumentParser

/// How a command ends. The numbers are part of the command line's contract: scripts decide by them.
enum CommandExit: Int32, Error {
    case done = 0
    /// The answer is no: differs, not found by a search.
    case no = 1
    case usage = 2
    case refused = 3
    case notAllowed = 4
    case notFound = 5
    /// It changed since you looked.
    case conflict = 6
    case executionFailed = 7
    /// Stopped, superseded or rejected.
    case executionStopped = 8
    /// The time limit was reached; the execution goes on.
    case stillRunning = 9
    /// The server cannot be reached; safe to try again.
    case unreachable = 10
    /// Stored bytes are not what they should be; trying again does not help.
    case integrity = 11
    /// A key is disabled, revoked or missing.
    case key = 12
    case interrupted = 130

    var code: ExitCode { ExitCode(rawValue) }
}

/// A failure in words, with the exit code it leads to.
struct CommandFailure: Error, CustomStringConvertible {
    let exit: CommandExit
    let description: String
    /// The server's word for it; nil for what was found out on this side.
    let code: String?

    init(_ exit: CommandExit, _ description: String, code: String? = nil) {
        self.exit = exit
        self.description = description
        self.code = code
    }
}

extension CommandExit {
    /// The exit code for an error answer of the server.
    init(status: Int, code: String) {
        switch (status, code) {
        case (_, let code) where code.contains("Integrity"): self = .integrity
        case (_, let code) where code.contains("KeyUnavailable") || code == "DisabledException":
            self = .key
        case (401, _), (403, _): self = .notAllowed
        case (404, _): self = .notFound
        case (409, _), (412, _): self = .conflict
        // A full disk stays full: trying again does not help before somebody has freed space.
        case (507, _): self = .refused
        case (500..., _): self = .unreachable
        default:
            let signatures = [
                "MissingAuthenticationToken", "UnrecognizedClient", "InvalidSignature", "IncompleteSignature",
                "ExpiredToken", "AccessDenied", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidClientToken",
                "InvalidAccessKeyId",
            ]
            self = signatures.contains { code.hasPrefix($0) } ? .notAllowed : .refused
        }
    }
}
