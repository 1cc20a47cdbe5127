import ArgumentParser

/// `coffer approval …`.
struct ApprovalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approval", abstract: "Decisions that wait for somebody.",
        subcommands: [ApprovalList.self, ApprovalApprove.self, ApprovalReject.self])
}
