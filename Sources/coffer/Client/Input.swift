import Foundation

/// Small inputs named on the command line.
enum Input {
    static let smallBytesMax = 16 << 20

    /// The bytes of a file, or of standard input for `-`.
    static func small(_ name: String) throws -> [UInt8] {
        let handle: FileHandle
        if name == "-" {
            handle = .standardInput
        } else {
            guard let opened = FileHandle(forReadingAtPath: name) else {
                throw CommandFailure(.notFound, "cannot read \(name): \(String(cString: strerror(errno)))")
            }
            handle = opened
        }
        guard let data = try handle.read(upToCount: smallBytesMax + 1) else { return [] }
        guard data.count <= smallBytesMax else {
            throw CommandFailure(.refused, "\(name) is larger than \(smallBytesMax >> 20) MiB, too large for this")
        }
        return Array(data)
    }

    /// Asks before something that cannot be undone; `--yes` answers for scripts.
    static func confirm(_ question: String, yes: Bool) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.usage, "\(question) Say --yes to go ahead without being asked.")
        }
        Talk.line("\(question) [y/N] ")
        guard let answer = readLine()?.lowercased(), answer == "y" || answer == "yes" else {
            throw CommandFailure(.no, "nothing was done")
        }
    }
}
