import ArgumentParser

/// `coffer share …`.
struct ShareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "share", abstract: "Share artifact versions with other pipelines, accounts and Regions.",
        discussion: """
            Sharing wraps 32 bytes; no content is copied. The recipient reads with `coffer artifact ls|cat|get \
            share:ID[:PATH]`.
            """,
        subcommands: [ShareCreate.self, ShareList.self, ShareRevoke.self])
}
