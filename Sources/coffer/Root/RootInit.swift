import ArgumentParser
import CofferServer

/// `coffer root init`.
struct RootInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a data directory's root key; prints its recovery passphrase once.",
        discussion: "The first `coffer serve` does the same by itself.")

    @OptionGroup var data: DataOption

    func run() async throws {
        let recovery = try await RootFailure.explaining { try await OfflineKeys.initialise(dataDirectory: data.data) }
        if let recovery { Passphrase.showOnce(recovery) }
    }
}
