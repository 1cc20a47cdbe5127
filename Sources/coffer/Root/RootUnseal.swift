import ArgumentParser
import AsyncHTTPClient
import CofferServer
import Foundation
import NIOCore
import NIOHTTP1

/// `coffer root unseal`.
struct RootUnseal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unseal", abstract: "Open the root key of a server that waits for a passphrase.")

    @Option(help: ArgumentHelp("Base URL of the server.", valueName: "URL"))
    var endpoint: String = "http://127.0.0.1:8080"

    private struct Body: Encodable { var passphrase: String }

    func run() async throws {
        let passphrase = try Passphrase.read("Passphrase:", variable: "COFFER_ROOT_PASSPHRASE")
        var request = HTTPClientRequest(url: endpoint + "/-/v1/root/unseal")
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(Body(passphrase: passphrase))))
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        } catch {
            throw CommandFailure(.unreachable, "no server answers at \(endpoint)")
        }
        // Only a sealed server knows this request; any other refuses it because it is not signed.
        switch (response.status.code, response.headers.first(name: "x-amzn-ErrorType")) {
        case (200, _): Talk.line("unsealed")
        case (403, "AccessDeniedException"): throw CommandFailure(.notAllowed, "the passphrase opens no slot")
        default:
            throw CommandFailure(.refused, "the server is not sealed (it answered \(response.status.code))")
        }
    }
}
