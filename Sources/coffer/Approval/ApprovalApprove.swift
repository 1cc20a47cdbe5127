import ArgumentParser
import Console

/// `coffer approval approve`.
struct ApprovalApprove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "approve", abstract: "Let an execution go on.")

    @OptionGroup var decision: DecisionArguments

    func run() async throws { try await decision.send(approve: true) }
}

/// Which decision, and what to say about it.
struct DecisionArguments: ParsableArguments {
    @Argument(help: "The pipeline's name.")
    var pipeline: String

    @Option(help: "The stage; needed when several decisions wait.")
    var stage: String?

    @Option(help: "The action; needed when several decisions wait.")
    var action: String?

    @Option(help: "Decide only the request that this token names.")
    var token: String?

    @Option(name: [.customLong("summary"), .customShort("m")], help: "What to keep about the decision.")
    var summary = ""

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func send(approve: Bool) async throws {
        let decision = ApprovalDecision(
            pipeline: pipeline, stage: stage, action: action, token: token, approve: approve, summary: summary)
        let done: ApprovalItem = try await connection.withClient {
            try await $0.send(.POST, "/-/v1/approvals", body: decision)
        }
        try output.one(done) {
            ["\(approve ? "approved" : "rejected") \(done.stage)/\(done.action) of \(done.pipeline)"]
        }
    }
}
