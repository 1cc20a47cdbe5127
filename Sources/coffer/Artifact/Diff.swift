import ArgumentParser
import ArtifactDiff
import Console
import Foundation

/// `coffer diff`.
struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compare two versions: exit 0 when they are equal, 1 when they differ.",
        discussion: """
            A version is written PIPELINE[/ARTIFACT]@WHICH[:PATH]; see `coffer artifact --help`. Files that differ only in \
            what every build changes (time stamps in archives, gzip headers) are counted, not listed.
            """)

    @Argument(help: "The older one.")
    var a: String

    @Argument(help: "The newer one.")
    var b: String

    @Flag(help: "Write a patch that `git apply` takes.")
    var patch = false

    @Flag(help: "Show changed lines below their files.")
    var lines = false

    @Flag(help: "Compare names, sizes and ids only; read no content.")
    var names = false

    @Flag(help: "List files that differ in noise only, too.")
    var noise = false

    @Flag(help: "Exit 0 when all that differs is noise.")
    var ignoreNoise = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard [patch, lines, names].filter(\.self).count <= 1 else {
            throw ValidationError("choose one of --patch, --lines and --names")
        }
    }

    func run() async throws {
        let detail: DiffOptions.Detail = patch ? .patch : lines ? .lines : names ? .names : .classes
        let report: DiffReport = try await connection.withClient { client in
            var bytes = Data()
            let query = [("a", Optional(a)), ("b", Optional(b)), ("detail", Optional(detail.rawValue))]
            try await client.download("/-/v1/diff", query) { bytes.append(contentsOf: $0) }
            return try JSONRenderer.decode(bytes)
        }
        try write(report)
        let code = report.exitCode(ignoringNoise: ignoreNoise)
        if code != 0 { throw CommandExit.no }
    }

    private func write(_ report: DiffReport) throws {
        if patch && output.chosen == nil {
            Out.write(try PatchRenderer().render(report))
            Talk.line(TextRenderer.summary(report))
            return
        }
        switch output.format {
        case .json: Out.write(Array(try JSONRenderer().render(report)) + [10])
        case .jsonl: Out.write(Array(try JSONRenderer().renderLines(report)))
        case .plain, .table:
            let renderer = TextRenderer(usesColour: Paint.isOn, showsNoise: noise, showsLines: lines)
            Out.write(Array(renderer.render(report).utf8))
            Talk.line("\(report.summary.identical) files are identical")
        }
    }
}
