import AccessControl
import Cryptography
import Foundation
import HTTPTypes

@testable import AWSProtocol

/// Credentials that are simply known.
struct FixedCredentials: CredentialSource {
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    func credential(_ accessKeyID: String, sessionToken: String?) async throws -> Credential? {
        let secret =
            accessKeyID == "AKIDEXAMPLE" ? "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" : Self.secret
        switch (accessKeyID, sessionToken) {
        case ("AKIAIOSFODNN7EXAMPLE", nil), ("AKIDEXAMPLE", nil), ("ASIAIOSFODNN7EXAMPLE", "token/with+signs=="):
            return Credential(
                principal: .root(account: "123456789012", accessKeyID: accessKeyID),
                secret: SecretBytes(copying: Array(secret.utf8)))
        case (_, "expired"): throw SessionTokenError.expired
        case (_, .some): throw SessionTokenError.invalid
        default: return nil
        }
    }
}

/// A body that arrives in pieces of the given sizes, over and over.
struct PiecewiseBody: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    var bytes: [UInt8]
    var sizes: [Int]

    func makeAsyncIterator() -> Iterator { Iterator(bytes: bytes[...], sizes: sizes) }

    struct Iterator: AsyncIteratorProtocol {
        var bytes: ArraySlice<UInt8>
        let sizes: [Int]
        var index = 0

        mutating func next() async throws -> [UInt8]? {
            guard !bytes.isEmpty else { return nil }
            let size = Swift.min(sizes[index % sizes.count], bytes.count)
            index += 1
            defer { bytes = bytes.dropFirst(size) }
            return Array(bytes.prefix(size))
        }
    }
}

let authenticator = Authenticator(credentials: FixedCredentials())

/// A request at a given time.
func makeRequest(
    _ method: String = "GET", _ target: String = "/", host: String = "127.0.0.1:8080",
    headers: [(String, String)] = [], body: [UInt8] = [], at time: String = "20130524T000000Z"
) -> ServiceRequest {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var fields = HTTPFields()
    for (name, value) in headers {
        if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
    }
    return ServiceRequest(
        method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "", headers: fields,
        authority: host, body: RequestBody(bytes: body), receivedAt: AWSTime.parseBasic(time) ?? .distantPast)
}

/// The error a request is refused with, `nil` when it passes.
func refusal(_ request: ServiceRequest, _ service: ServiceName) async -> AWSError? {
    do throws(AWSError) {
        _ = try await authenticator.verify(request, service: service)
        return nil
    } catch { return error }
}
