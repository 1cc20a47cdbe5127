import AWSProtocol
import AccessControl

/// `/-/v1/accounts`: the accounts of the installation, for its operator.
enum AccountRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/accounts": list, "POST /-/v1/accounts": create]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("ListAccounts")
        return try .json(try await request.services.access.accounts().map { AccountItem(account: $0) })
    }

    @Sendable static func create(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("CreateAccount")
        let asked: AccountItem = try await request.decode()
        let made = try await request.services.access.createAccount(asked.account)
        return try .json(
            AccountItem(
                account: made.principal.account, accessKeyID: made.principal.accessKeyID,
                secretAccessKey: made.secretText),
            status: 201)
    }
}
