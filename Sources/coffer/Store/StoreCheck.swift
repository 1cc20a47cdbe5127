import ArgumentParser
import ArtifactStore
import CofferServer
import Console
import Foundation

/// `coffer store check`.
struct StoreCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a data directory while no server holds it: exit 11 for damage.")

    @Option(help: ArgumentHelp("The data directory.", valueName: "directory"))
    var data: String

    @Flag(help: "Read the chunk index again from the packs first.")
    var rebuildIndex = false

    @Option(
        help: ArgumentHelp("\(ScrubLevel.allCases.map(\.rawValue).joined(separator: ", ")); default: the last."))
    var level: String?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard level == nil || level.flatMap(ScrubLevel.init) != nil else {
            throw ValidationError("no such --level: \(level ?? "")")
        }
    }

    func run() async throws {
        let passphrase = ProcessInfo.processInfo.environment["COFFER_ROOT_PASSPHRASE"]
        let answer = try await OfflineStore.with(dataDirectory: data, rootPassphrase: passphrase) { store in
            if rebuildIndex {
                Talk.line("the index has \(try await store.rebuildIndex()) records again")
            }
            let level = level.flatMap(ScrubLevel.init) ?? ScrubLevel.allCases.last ?? .deep
            return ScrubAnswer(try await store.scrub(level, fresh: true))
        }
        try output.scrub(answer)
    }
}
