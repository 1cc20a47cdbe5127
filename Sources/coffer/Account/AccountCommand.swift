import ArgumentParser
import Console

/// `coffer account …`.
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Accounts of the installation, for its operator.",
        subcommands: [AccountCreate.self, AccountList.self])
}

/// `coffer account create`.
struct AccountCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an account; its root access key is shown only now.")

    @Argument(help: "Twelve digits.")
    var account: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let made: AccountItem = try await connection.withClient {
            try await $0.send(.POST, "/-/v1/accounts", body: AccountItem(account: account))
        }
        try output.one(made) {
            [
                "export AWS_ACCESS_KEY_ID=\(made.accessKeyID ?? "")",
                "export AWS_SECRET_ACCESS_KEY=\(made.secretAccessKey ?? "")",
            ]
        }
    }
}

/// `coffer account list`.
struct AccountList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the accounts.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [AccountItem] = try await connection.withClient { try await $0.get("/-/v1/accounts") }
        try output.list(items, ["ACCOUNT"]) { [$0.account] }
    }
}
