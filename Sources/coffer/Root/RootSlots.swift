import ArgumentParser
import CofferServer
import Foundation
import KeyHierarchy

/// `coffer root add-slot`.
struct RootAddSlot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-slot", abstract: "Add a way to open the root key.")

    enum Kind: String, ExpressibleByArgument, CaseIterable { case passphrase, file, env }

    @OptionGroup var data: DataOption

    @Argument(help: "passphrase, file or env (env is for development only).")
    var kind: Kind

    @Option(help: "The slot's name.")
    var label: String

    @Option(help: ArgumentHelp("For file: the key file, made when missing. For env: the variable.", valueName: "name"))
    var source: String?

    func run() async throws {
        let slot: Root.NewSlot
        switch kind {
        case .passphrase:
            slot = .passphrase(try Passphrase.read("New passphrase:", variable: "COFFER_NEW_PASSPHRASE"))
        case .file:
            guard let source else { throw ValidationError("--source names the key file") }
            slot = .file(path: source.hasPrefix("/") ? source : FileManager.default.currentDirectoryPath + "/" + source)
        case .env:
            guard let source else { throw ValidationError("--source names the variable") }
            Talk.line("coffer: a key in the environment is for development; other processes may see it")
            slot = .environment(variable: source)
        }
        try await data.withKeys { try await $0.addRootSlot(slot, label: label) }
    }
}

/// `coffer root remove-slot`.
struct RootRemoveSlot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-slot", abstract: "Remove a slot. The last one, and the last passphrase, stay.")

    @OptionGroup var data: DataOption

    @Argument(help: "The slot's name.")
    var label: String

    @Flag(help: "Do not ask.")
    var yes = false

    func run() async throws {
        try Input.confirm("Remove the slot \(label)?", yes: yes)
        try await data.withKeys { try await $0.removeRootSlot(label: label) }
    }
}

/// `coffer root rotate`.
struct RootRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Replace the root key and re-wrap what it seals. Passphrases have to be added again.")

    @OptionGroup var data: DataOption

    @Flag(help: "Do not ask.")
    var yes = false

    func run() async throws {
        try Input.confirm(
            "Replace the root key? All passphrase slots go, and a new recovery passphrase is made.", yes: yes)
        Passphrase.showOnce(try await data.withKeys { try await $0.rotateRoot() })
    }
}
