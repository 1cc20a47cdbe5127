import Catalog
import Cryptography
import Foundation
import Synchronization
import Testing

@testable import AccessControl

/// Seals by authenticated encryption under a key of its own.
struct TestSealer: SecretSealer {
    private let key = SecretBytes.random(count: 32)

    func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8] {
        let body = plaintext.withUnsafeBytes { Array($0) }
        return HMACSHA256.code(key: key, Array(name.utf8) + [0] + body).bytes + body.map { $0 ^ 0x5A }
    }

    func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes {
        let body = sealed.dropFirst(32).map { $0 ^ 0x5A }
        guard HMACSHA256.code(key: key, Array(name.utf8) + [0] + body).bytes == Array(sealed.prefix(32)) else {
            throw SessionTokenError.invalid
        }
        return SecretBytes(copying: body)
    }
}

/// A clock that is set by hand.
final class ManualClock: Sendable {
    let time = Mutex(Date(timeIntervalSince1970: 1_700_000_000))
    func advance(_ seconds: Double) { time.withLock { $0 = $0.addingTimeInterval(seconds) } }
}

final class AccessControlTests {
    let sealer = TestSealer()
    let clock = ManualClock()
    let catalog: Catalog
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("access-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        catalog = try Catalog(
            path: folder.appendingPathComponent("catalog.db").path, migrations: AccessSchema.migrations)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func open() -> AccessControl {
        AccessControl(catalog: catalog, sealer: sealer, now: { [clock] in clock.time.withLock { $0 } })
    }

    @Test func theFirstBootstrapMakesAKeyAndLaterOnesFindIt() async throws {
        let first = try await open().bootstrap(account: "123456789012")
        #expect(first.isNew)
        #expect(first.credential.principal.accessKeyID.hasPrefix("AKIA"))
        #expect(first.credential.secret.count == 40)
        let second = try await open().bootstrap(
            account: "123456789012", accessKeyID: "AKIAOTHEROTHER12", secret: "long enough")
        #expect(!second.isNew)
        #expect(second.credential.secretText == first.credential.secretText)
        #expect(second.credential.principal.arn == "arn:aws:iam::123456789012:root")
    }

    @Test func aGivenKeyIsUsed() async throws {
        let access = open()
        _ = try await access.bootstrap(account: "000000000000", accessKeyID: "AKIAGIVENGIVEN12", secret: "secretsecret")
        let credential = try #require(try await open().credential("AKIAGIVENGIVEN12", sessionToken: nil))
        #expect(credential.secretText == "secretsecret")
        #expect(try await access.credential("AKIANOBODY", sessionToken: nil) == nil)
    }

    @Test func bootstrapRefusesWhatNoClientCouldUse() async throws {
        await #expect(throws: BootstrapError.badAccount("12")) { try await open().bootstrap(account: "12") }
        await #expect(throws: BootstrapError.badAccessKeyID) {
            try await open().bootstrap(account: "000000000000", accessKeyID: "short", secret: "secretsecret")
        }
        _ = try await open().bootstrap(account: "000000000000")
        await #expect(throws: BootstrapError.otherAccount(stored: "000000000000", asked: "111111111111")) {
            try await open().bootstrap(account: "111111111111")
        }
    }

    @Test func sessionsCarryTheirGrantAndEnd() async throws {
        let access = open()
        let root = try await access.bootstrap(account: "000000000000").credential.principal
        let session = try await access.issueSession(
            for: root, grant: .artifacts(reading: ["b/in"], writing: ["b/out"]), name: "job-1", seconds: 900)
        let found = try #require(
            try await open().credential(session.principal.accessKeyID, sessionToken: session.sessionToken))
        #expect(found.principal == session.principal)
        #expect(found.secretText == session.secretText)
        #expect(found.principal.arn == "arn:aws:sts::000000000000:assumed-role/coffer-job/job-1")
        try access.authorize(found.principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/in")
        try access.authorize(found.principal, action: "s3:PutObject", resource: "arn:aws:s3:::b/out")
        for (action, resource) in [("s3:GetObject", "arn:aws:s3:::b/out"), ("s3:PutObject", "arn:aws:s3:::b/in")] {
            #expect(throws: AccessDenied.self) {
                try access.authorize(found.principal, action: action, resource: resource)
            }
        }
        await #expect(throws: SessionTokenError.invalid) {
            try await access.credential("ASIASOMEONEELSE", sessionToken: session.sessionToken)
        }
        clock.advance(901)
        await #expect(throws: SessionTokenError.expired) {
            try await access.credential(session.principal.accessKeyID, sessionToken: session.sessionToken)
        }
    }

    @Test func anAsteriskInAnObjectsKeyIsNoWildcard() async throws {
        let access = open()
        let root = try await access.bootstrap(account: "000000000000").credential.principal
        let session = try await access.issueSession(
            for: root, grant: .artifacts(reading: ["b/in*"], writing: []), seconds: 900)
        try access.authorize(session.principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/in*")
        #expect(throws: AccessDenied.self) {
            try access.authorize(session.principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/inner")
        }
        let wide = SessionGrant(statements: [.init(actions: ["s3:Get*"], resources: ["arn:aws:s3:::b/*"])])
        let other = try await access.issueSession(for: root, grant: wide, seconds: 900)
        try access.authorize(other.principal, action: "S3:getobject", resource: "arn:aws:s3:::b/inner")
        #expect(throws: AccessDenied.self) {
            try access.authorize(other.principal, action: "s3:PutObject", resource: "arn:aws:s3:::b/inner")
        }
    }

    @Test func alteredTokensAreNotBelieved() async throws {
        let access = open()
        let root = try await access.bootstrap(account: "000000000000").credential.principal
        let session = try await access.issueSession(for: root, seconds: 900)
        #expect(session.principal.grant == nil)
        let token = try #require(session.sessionToken)
        for altered in ["", "%%%", String(token.dropLast(4)), "AAAA" + token.dropFirst(4)] where !altered.isEmpty {
            await #expect(throws: SessionTokenError.invalid) {
                try await access.credential(session.principal.accessKeyID, sessionToken: altered)
            }
        }
        #expect(try await access.credential(session.principal.accessKeyID, sessionToken: nil) == nil)
    }

    @Test func theAccountMayDoEverythingInTheAccountOnly() async throws {
        let access = open()
        let root = try await access.bootstrap(account: "000000000000").credential.principal
        try access.authorize(root, action: "codepipeline:X", resource: "arn:aws:codepipeline:r:000000000000:p")
        try access.authorize(root, action: "s3:DeleteBucket", resource: "arn:aws:s3:::b")
        #expect(throws: AccessDenied.self) {
            try access.authorize(root, action: "codepipeline:X", resource: "arn:aws:codepipeline:r:999999999999:p")
        }
    }
}
