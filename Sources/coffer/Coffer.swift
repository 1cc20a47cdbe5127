import ArgumentParser
import ArtifactStore
import CofferServer
import Foundation

/// The command line. Data goes to standard output, talk to standard error; see ``CommandExit`` for exit codes.
@main
struct Coffer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coffer",
        abstract: "A delivery service you run yourself: an artifact store and the pipelines that fill it.",
        discussion: """
            Commands speak to the server at COFFER_ENDPOINT, else AWS_ENDPOINT_URL, else the one whose data directory \
            --data names, with the credentials that AWS tools would use.

            Exit codes: 0 done, equal; 1 differs, not found by a search; 2 usage; 3 refused by validation; 4 not signed \
            in or not allowed; 5 no such thing; 6 conflict; 7 watched execution failed; 8 stopped, superseded or \
            rejected; 9 time limit reached; 10 server unreachable; 11 integrity failure; 12 key disabled, revoked or \
            missing; 130 interrupted.
            """,
        version: CofferVersion.text,
        groupedSubcommands: [
            CommandGroup(name: "Server", subcommands: [Serve.self, Env.self, Doctor.self]),
            CommandGroup(
                name: "Delivery",
                subcommands: [
                    PipelineCommand.self, ExecutionCommand.self, ApprovalCommand.self, RepositoryCommand.self,
                    ProjectCommand.self,
                ]),
            CommandGroup(
                name: "Artifacts",
                subcommands: [
                    ArtifactCommand.self, DiffCommand.self, WhyCommand.self, PinCommand.self, RetentionCommand.self,
                    ShareCommand.self,
                ]),
            CommandGroup(
                name: "Maintenance",
                subcommands: [
                    StoreCommand.self, VerifyCommand.self, KeyCommand.self, RootCommand.self, AccountCommand.self,
                ]),
        ])

    static func main() async {
        await main(nil)
    }

    static func main(_ arguments: [String]?) async {
        OpenFiles.raise()
        do {
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Says what went wrong, where there is something to say, and ends the process.
    private static func end(with error: any Error) -> Never {
        switch error {
        case let failure as CommandFailure:
            Talk.error(failure.description)
            Foundation.exit(failure.exit.rawValue)
        case let exit as CommandExit:
            Foundation.exit(exit.rawValue)
        case let failure as StartupError:
            Talk.error(failure.description)
            Foundation.exit(exitCode(of: failure).rawValue)
        case is CancellationError:
            Foundation.exit(CommandExit.interrupted.rawValue)
        default:
            let code = exitCode(for: error)
            // ArgumentParser's own code for wrong usage is EX_USAGE (64); ours is 2, as most Unix tools have it.
            guard code == .validationFailure || code == .success else {
                if let code = error as? ExitCode { Foundation.exit(code.rawValue) }
                Talk.error(explain(error))
                Foundation.exit(CommandExit.refused.rawValue)
            }
            let message = fullMessage(for: error)
            if code == .success {
                if !message.isEmpty { Out.line(message) }
                Foundation.exit(0)
            }
            Talk.line(message)
            Foundation.exit(CommandExit.usage.rawValue)
        }
    }

    private static func exitCode(of failure: StartupError) -> CommandExit {
        switch failure.kind {
        case .usage: .usage
        case .held: .conflict
        case .rollback: .integrity
        case .notADataDirectory: .notFound
        case .address: .refused
        case .failed: .refused
        }
    }

    private static func explain(_ error: any Error) -> String {
        if let described = error as? any LocalizedError, let text = described.errorDescription { return text }
        return "\(error)"
    }
}
