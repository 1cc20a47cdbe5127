import ArgumentParser
import Console
import Foundation

/// `coffer share create`.
struct ShareCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Let another pipeline, account or Region read a version.",
        discussion: """
            Without --key, reading goes on to need the owner's key, through a grant where the recipient is another \
            account: disabling the key or revoking the grant ends it. With --key, the data key is wrapped under a key \
            of the recipient's as well, which from then on decides alone; its policy must allow this account \
            kms:ReEncryptTo.
            """)

    @OptionGroup var reference: ReferenceArgument

    @Option(help: ArgumentHelp("The recipient; default: this account, this Region.", valueName: "ACCOUNT[/REGION]"))
    var to: String?

    @Option(help: "Only the jobs of this pipeline of the recipient's.")
    var pipeline: String?

    @Option(help: "A key of the recipient's to wrap the data key under; for another account: its ARN.")
    var key: String?

    @Option(help: ArgumentHelp("When it ends: 90m, 12h, 7d or an ISO 8601 time; default: never.", valueName: "when"))
    var expires: String?

    @Option(help: "What it is for.")
    var purpose: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let recipient = to?.split(separator: "/", maxSplits: 1).map(String.init) ?? []
        let asked = ShareRequest(
            reference: reference.reference, account: recipient.first,
            region: recipient.count > 1 ? recipient[1] : nil, pipeline: pipeline, key: key,
            notAfter: try expires.map { try ShareCreate.time($0, from: Date()) }, purpose: purpose)
        let made: ShareItem = try await connection.withClient {
            try await $0.send(.POST, "/-/v1/shares", body: asked)
        }
        try output.one(made) { [made.reference] }
        let end = made.notAfter.map { " until \(Say.time($0))" } ?? ""
        Talk.line("\(made.recipient)/\(made.recipientRegion) can read it by \(made.mechanism)\(end)")
    }

    /// A moment: a span from now, or an ISO 8601 time.
    static func time(_ text: String, from now: Date) throws -> Date {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        if let unit = text.last.flatMap({ units[$0] }), let count = Double(text.dropLast()), count > 0 {
            return now.addingTimeInterval(count * unit)
        }
        // Text that is no time in one notation may be one in the other.
        if let date = try? Date(text, strategy: .iso8601) { return date }
        if let date = try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)) {
            return date
        }
        throw CommandFailure(.usage, "\(text) is no time: write 90m, 12h, 7d or 2026-01-31T12:00:00Z")
    }
}
