import AWSProtocol
import Foundation
import KeyHierarchy

/// Custom key stores: there are none here, and the operations say so in the service's words.
extension KMSOperations {
    static let noKeyStore = KeyError(
        KeyError.Code(rawValue: "CustomKeyStoreNotFoundException"), "The custom key store does not exist.")

    struct KeyStoreFilter: Decodable, Sendable {
        var id: String?
        var name: String?
        enum CodingKeys: String, CodingKey {
            case id = "CustomKeyStoreId"
            case name = "CustomKeyStoreName"
        }
    }

    struct KeyStoreList: Encodable, Sendable {
        var stores: [String] = []
        var truncated = false
        enum CodingKeys: String, CodingKey {
            case stores = "CustomKeyStores"
            case truncated = "Truncated"
        }
    }

    func describeCustomKeyStores(_ input: KeyStoreFilter, _ request: ServiceRequest) async throws -> KeyStoreList {
        try authorizer.authorize(try KMSCall(request), "DescribeCustomKeyStores")
        guard input.id == nil, input.name == nil else { throw Self.noKeyStore }
        return KeyStoreList()
    }

    func createCustomKeyStore(_ input: KeyStoreFilter, _ request: ServiceRequest) async throws {
        try authorizer.authorize(try KMSCall(request), "CreateCustomKeyStore")
        throw KeyError(
            .unsupported, "Custom key stores are not supported; create keys with Origin AWS_KMS or EXTERNAL.")
    }

    func missingKeyStore(_ input: KeyStoreFilter, _ request: ServiceRequest) async throws {
        try authorizer.authorize(try KMSCall(request), "DescribeCustomKeyStores")
        throw Self.noKeyStore
    }
}
