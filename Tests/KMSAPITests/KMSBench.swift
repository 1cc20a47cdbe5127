import AWSProtocol
import AccessControl
import Catalog
import Cryptography
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// The front over a scratch instance, with a clock that tests move.
final class KMSBench: Sendable {
    static let account = "000000000000"
    static let region = "us-east-1"
    let directory: String
    let catalog: Catalog
    let keys: KeyHierarchy
    let access: AccessControl
    let front: KMSFront
    let root = Principal.root(account: KMSBench.account, accessKeyID: "AKIATEST")

    init() async throws {
        directory = FileManager.default.temporaryDirectory.path + "/coffer-kms-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalog = try Catalog(
            path: directory + "/catalog.db", migrations: KeySchema.migrations + AccessSchema.migrations)
        let time = SharedClock()
        keys = try await KeyHierarchy.create(
            catalog: catalog, root: RootLocation(directory: directory), now: { time.now })
        access = AccessControl(catalog: catalog, keys: keys)
        front = KMSFront(keys: keys, access: access)
        self.time = time
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }  // Scratch space: a leftover does no harm.

    private let time: SharedClock

    var now: Date { time.now }

    func advance(days: Double) { time.advance(days * 86_400) }

    /// What came back.
    struct Answer: Sendable {
        let status: Int
        let body: JSONValue

        /// The error's name, or nil for success.
        var error: String? { status == 200 ? nil : body["__type"]?.stringValue ?? "none" }
        var message: String { body["message"]?.stringValue ?? "" }
        subscript(_ name: String) -> String { body[name]?.stringValue ?? "" }
        func bytes(_ name: String) -> [UInt8] { Base64.decode(self[name]) ?? [] }
        func metadata(_ name: String) -> String { body["KeyMetadata"]?[name]?.stringValue ?? "" }
        func list(_ name: String) -> [JSONValue] { if case .array(let items) = body[name] { items } else { [] } }
    }

    func call(
        _ operation: String, _ document: String, as principal: Principal? = nil, region: String = KMSBench.region
    ) async throws -> Answer {
        var headers = HTTPFields()
        headers[try #require(HTTPField.Name("x-amz-target"))] = "TrentService.\(operation)"
        let request = ServiceRequest(
            method: "POST", path: "/", headers: headers, body: RequestBody(bytes: Array(document.utf8)),
            receivedAt: now,
            principal: principal ?? root, region: region)
        let response = await front.respond(to: request)
        let bytes = try await response.body.collect(upTo: 1 << 20)
        return Answer(status: response.status, body: try AWSJSON.decode(JSONValue.self, from: bytes))
    }

    /// A call that must succeed.
    func ok(
        _ operation: String, _ document: String, as principal: Principal? = nil, region: String = KMSBench.region,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let answer = try await call(operation, document, as: principal, region: region)
        #expect(
            answer.status == 200, "\(operation): \(answer.error ?? "") \(answer.message)",
            sourceLocation: sourceLocation)
        return answer
    }

    /// Makes a key and returns its ID.
    func key(
        _ spec: String = "SYMMETRIC_DEFAULT", usage: String? = nil, origin: String = "AWS_KMS",
        multiRegion: Bool = false,
        region: String = KMSBench.region
    ) async throws -> String {
        let usageMember = usage.map { ",\"KeyUsage\":\"\($0)\"" } ?? ""
        let answer = try await ok(
            "CreateKey",
            "{\"KeySpec\":\"\(spec)\",\"Origin\":\"\(origin)\",\"MultiRegion\":\(multiRegion)\(usageMember)}",
            region: region)
        return answer.metadata("KeyId")
    }

    /// Puts a stored key back to `snapshot`, in another state.
    func force(_ snapshot: KMSKey, _ state: KMSKeyState) async throws {
        let far = now.milliseconds + 86_400_000 * 20
        try await keys.change(snapshot.scope, snapshot.keyID, action: "test") { key, _ in
            key = snapshot
            key.state = state
            key.transitionAt = state == .creating || state == .updating ? far : nil
            key.deletionAt = state == .pendingDeletion ? far : nil
        }
    }
}

/// A clock that only tests move.
final class SharedClock: Sendable {
    private let seconds = Mutex<Double>(1_700_000_000)
    var now: Date { Date(timeIntervalSince1970: seconds.withLock { $0 }) }
    func advance(_ by: Double) { seconds.withLock { $0 += by } }
}

func base64(_ text: String) -> String { Base64.encode(Array(text.utf8)) }
