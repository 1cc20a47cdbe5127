import ArgumentParser
import Console

/// `coffer project put`.
struct ProjectPut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Create a build project or change it.")

    @Argument(help: "The name, as in a build action's ProjectName.")
    var name: String

    @Option(help: ArgumentHelp("File with the buildspec; default: the source's own buildspec.yml.", valueName: "file"))
    var buildspec: String?

    @Option(help: ArgumentHelp("Longest a build may take.", valueName: "minutes"))
    var timeoutMinutes: Int?

    @Option(
        name: .customLong("env"), help: ArgumentHelp("Environment variable of the build.", valueName: "name=value"))
    var environment: [String] = []

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var variables: [String: String] = [:]
        for text in environment {
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("\(text) is not of the form name=value")
            }
            variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        let text = try buildspec.map { String(decoding: try Input.small($0), as: UTF8.self) }
        let wanted = ProjectItem(
            name: name, buildspec: text, timeoutSeconds: timeoutMinutes.map { $0 * 60 }, environment: variables)
        let item: ProjectItem = try await connection.withClient {
            try await $0.send(.PUT, "/-/v1/projects", body: wanted)
        }
        try output.one(item) { [item.name] }
    }
}
