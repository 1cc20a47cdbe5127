import ArgumentParser

/// `coffer project …`.
struct ProjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Build projects that build actions may name.",
        subcommands: [ProjectList.self, ProjectPut.self])
}
