import ArgumentParser
import Console

/// `coffer key deletion-preview`.
struct KeyDeletionPreview: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deletion-preview",
        abstract: "List what would become unreadable if a KMS key were disabled or deleted. Changes nothing.",
        discussion: "Exit code 0: nothing depends on the key; 1: something does.")

    @Argument(help: "A key id, key ARN or alias.")
    var key: String

    @Option(help: "How many versions to list; the counts are of all.")
    var limit = 100

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer: KeyPreviewAnswer = try await connection.withClient {
            try await $0.get("/-/v1/key/deletion-preview", [("key", key), ("limit", "\(limit)")])
        }
        try output.one(answer) { lines(answer) }
        let isFree = answer.versionCount == 0 && answer.shares.isEmpty && answer.pipelines.isEmpty
        if !isFree { throw CommandExit.no }
    }

    private func lines(_ answer: KeyPreviewAnswer) -> [String] {
        var lines = ["\(answer.keyARN) is \(answer.keyState)"]
        lines.append("\(answer.versionCount) versions, \(Say.bytes(answer.bytes)), would become unreadable")
        for version in answer.versions { lines.append("  \(version.reference)  \(version.id)") }
        for pin in answer.pins { lines.append("\(pin.kind) \(pin.name) keeps version \(pin.version)") }
        for pipeline in answer.pipelines {
            if pipeline.writes { lines.append("pipeline \(pipeline.pipeline) could publish no artifact any more") }
            for stage in pipeline.stages {
                lines.append("what runs in stage \(stage) of \(pipeline.pipeline) could not be read")
            }
        }
        for share in answer.shares {
            lines.append("\(share.reference) for \(share.recipient)/\(share.recipientRegion) would end")
        }
        for share in answer.survivingShares {
            lines.append("\(share.reference) would go on: \(share.recipient)/\(share.recipientRegion) has its own wrap")
        }
        if answer.dedupDomains > 0 { lines.append("\(answer.dedupDomains) dedup domains could take nothing new") }
        return lines
    }
}
