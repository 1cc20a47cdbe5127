import ArgumentParser
import Console
import Foundation

/// `coffer doctor`.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what works on the server's machine and what is missing: exit 0 when nothing fails.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let findings: [Finding] = try await connection.withClient { client in
            let sent = Date()
            let server: ServerAnswer = try await client.get("/-/v1/server")
            let received = Date()
            var findings: [Finding] = try await client.get("/-/v1/doctor")
            findings.append(clock(server.time, between: sent, and: received))
            return findings
        }
        try output.list(findings, ["", "WHAT", "DETAIL"]) { [$0.verdict.rawValue, $0.subject, $0.detail] }
        if findings.contains(where: { $0.verdict == .failed }) { throw CommandExit.no }
    }

    /// Signatures are judged by the server's clock, so its distance from ours matters.
    private func clock(_ server: Date, between sent: Date, and received: Date) -> Finding {
        let middle = sent.addingTimeInterval(received.timeIntervalSince(sent) / 2)
        let difference = abs(server.timeIntervalSince(middle))
        let text = String(format: "%.1f s apart from this machine's", difference)
        return Finding("clock", difference > 300 ? .failed : difference > 60 ? .warning : .ok, text)
    }
}
