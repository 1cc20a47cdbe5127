import ArgumentParser
import CofferServer
import Foundation
import KeyHierarchy

/// `coffer root …`.
struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "The root key: what opens it, and replacing it.",
        discussion: """
            The root key seals every other key of an installation. Slots open it: a key file for unattended starts, \
            passphrases for recovery. Losing all slots loses all data. Passphrases are read from a terminal, from \
            standard input, or from COFFER_ROOT_PASSPHRASE and COFFER_NEW_PASSPHRASE.
            """,
        subcommands: [
            RootInit.self, RootStatusCommand.self, RootUnseal.self, RootAddSlot.self, RootRemoveSlot.self,
            RootRotate.self,
        ])
}

/// Names the data directory.
struct DataOption: ParsableArguments {
    @Option(help: ArgumentHelp("The data directory.", valueName: "directory"))
    var data: String

    /// Opens the keys while no server holds the directory, asking for a passphrase only when a slot needs it.
    func withKeys<Result: Sendable>(_ body: (KeyHierarchy) async throws -> Result) async throws -> Result {
        let passphrase = ProcessInfo.processInfo.environment["COFFER_ROOT_PASSPHRASE"]
        return try await RootFailure.explaining {
            try await OfflineKeys.with(dataDirectory: data, rootPassphrase: passphrase, body)
        }
    }
}

/// Turns refusals of the root file into exit codes.
enum RootFailure {
    static func explaining<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as RootError {
            throw CommandFailure(code(error), error.description)
        }
    }

    private static func code(_ error: RootError) -> CommandExit {
        switch error {
        case .missing: .notFound
        case .alreadyInitialised: .conflict
        case .wrongPassphrase, .sealed: .notAllowed
        case .altered, .malformed: .integrity
        case .refused, .io, .invalid: .refused
        }
    }
}

/// Passphrases from the environment, a terminal without echo, or a line of standard input.
enum Passphrase {
    static func read(_ prompt: String, variable: String) throws -> String {
        if let text = ProcessInfo.processInfo.environment[variable], !text.isEmpty { return text }
        guard isatty(STDIN_FILENO) == 1 else { return try line() }
        Talk.line(prompt)
        var settings = termios()
        tcgetattr(STDIN_FILENO, &settings)
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &silent)
        defer { tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
        return try line()
    }

    private static func line() throws -> String {
        guard let text = readLine(), !text.isEmpty else {
            throw CommandFailure(.usage, "no passphrase was given")
        }
        return text
    }

    static func showOnce(_ recovery: String) {
        Talk.line(
            "coffer: the recovery passphrase, shown only now; keep it apart from the data. Losing all slots loses all data."
        )
        Out.line(recovery)
    }
}
