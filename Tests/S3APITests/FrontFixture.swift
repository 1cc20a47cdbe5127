import AWSProtocol
import AccessControl
import ArtifactStore
import Catalog
import Cryptography
import Foundation
import HTTPTypes
import KeyHierarchy
import ObjectStorage
import SystemPackage
import Testing

@testable import S3API

/// A front over a real store in a directory of its own.
final class FrontFixture: Sendable {
    let directory: String
    let catalog: Catalog
    let objects: ObjectStorage
    let keys: KeyHierarchy
    let front: S3Front
    let account = "111122223333"

    init() async throws {
        directory = NSTemporaryDirectory() + "coffer-s3-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let opened = try await Self.open(directory)
        catalog = opened.catalog
        objects = opened.objects
        keys = opened.keys
        front = S3Front(objects: objects, access: AccessControl(catalog: opened.catalog, sealer: NoSecrets()))
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private static func open(_ directory: String) async throws -> (
        catalog: Catalog, keys: KeyHierarchy, objects: ObjectStorage
    ) {
        let catalog = try Catalog(
            path: directory + "/catalog.db",
            migrations: KeySchema.migrations + StoreSchema.migrations + ObjectSchema.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: directory))
        var limits = ObjectStorage.Limits()
        limits.partBytesMin = 4
        let store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: FilePath(directory + "/store")), catalog: catalog, keys: keys)
        let objects = ObjectStorage(
            store: store, catalog: catalog, keys: keys, limits: limits)
        return (catalog, keys, objects)
    }

    /// An answer with its body read.
    struct Answer {
        let status: Int
        let headers: HTTPFields
        let body: String

        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

        /// The text of the first element called `name`.
        func element(_ name: String) -> String? {
            guard let open = body.range(of: "<\(name)>"),
                let close = body.range(of: "</\(name)>", range: open.upperBound..<body.endIndex)
            else { return nil }
            return String(body[open.upperBound..<close.lowerBound])
        }

        var code: String? { element("Code") }
    }

    /// Sends a request as the account's root, or as `principal`.
    @discardableResult
    func send(
        _ method: String, _ target: String, _ body: String = "", _ headers: [String: String] = [:],
        as principal: Principal? = nil
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var fields = HTTPFields()
        for (name, value) in headers { fields[try #require(HTTPField.Name(name))] = value }
        let request = ServiceRequest(
            method: method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "", headers: fields,
            authority: "localhost:8080", body: RequestBody(bytes: Array(body.utf8)),
            principal: principal ?? .root(account: account, accessKeyID: "AKIA"))
        let response = await front.respond(to: request)
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return Answer(
            status: response.status, headers: response.headers, body: String(decoding: bytes, as: UTF8.self))
    }
}

/// No test of the front keeps secrets.
private struct NoSecrets: SecretSealer {
    func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8] { [] }
    func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes { SecretBytes.random(count: 1) }
}
