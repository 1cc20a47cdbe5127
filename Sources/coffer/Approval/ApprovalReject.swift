import ArgumentParser

/// `coffer approval reject`.
struct ApprovalReject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reject", abstract: "Let an execution fail.")

    @OptionGroup var decision: DecisionArguments

    func run() async throws { try await decision.send(approve: false) }
}
