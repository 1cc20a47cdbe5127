import ArgumentParser
import CofferServer
import Foundation
import SystemPackage

/// `coffer env`.
struct Env: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the exports that lead AWS tools to a server, for a shell to evaluate.",
        discussion: "eval \"$(coffer env --data DIR)\"")

    @Option(help: ArgumentHelp("Data directory of the server.", valueName: "directory"))
    var data: String

    func run() throws {
        guard let announcement = try Announcement.read(dataDirectory: data) else {
            throw CommandFailure(
                .notFound, "no server has run in \(data) yet; start one with `coffer serve --data \(data)`")
        }
        guard let pair = try RootCredentials.read(FilePath(data).appending("credentials")) else {
            throw CommandFailure(.notFound, "\(data) has no file `credentials`: the root access key was taken away")
        }
        let values = [
            ("AWS_ACCESS_KEY_ID", pair.accessKeyID), ("AWS_SECRET_ACCESS_KEY", pair.secretAccessKey),
            ("AWS_ENDPOINT_URL", announcement.endpoint), ("AWS_DEFAULT_REGION", announcement.region),
        ]
        Out.line("export " + values.map { "\($0.0)=\(quote($0.1))" }.joined(separator: " "))
        // Left over from another account, these would be sent along and refused.
        Out.line("unset AWS_SESSION_TOKEN AWS_PROFILE")
    }

    private func quote(_ text: String) -> String {
        let plain = text.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122) || "/:._-+=".utf8.contains($0)
        }
        return plain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
