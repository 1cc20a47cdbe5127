import ArgumentParser

/// `coffer repository …`.
struct RepositoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repository", abstract: "Git repositories that source actions may name.",
        subcommands: [RepositoryAdd.self, RepositoryList.self, RepositoryRemove.self])
}
