import AWSProtocol
import AccessControl
import Catalog
import Cryptography
import Foundation
import HTTPTypes
import Testing

@testable import STSAPI

/// Keeps secrets as they are, marked with their name.
struct OpenSealer: SecretSealer {
    func seal(_ plaintext: SecretBytes, name: String) async throws -> [UInt8] {
        Array(name.utf8) + [0] + plaintext.withUnsafeBytes { Array($0) }
    }

    func open(_ sealed: [UInt8], name: String) async throws -> SecretBytes {
        guard sealed.starts(with: Array(name.utf8) + [0]) else { throw SessionTokenError.invalid }
        return SecretBytes(copying: sealed.dropFirst(name.utf8.count + 1))
    }
}

final class STSFrontTests {
    let access: AccessControl
    let front: STSFront
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sts-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appendingPathComponent("catalog.db").path
        access = AccessControl(
            catalog: try Catalog(path: path, migrations: AccessSchema.migrations), sealer: OpenSealer())
        front = STSFront(access: access)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func call(_ form: String, as credential: Credential) async throws -> (status: Int, body: String) {
        var request = ServiceRequest(
            method: "POST", path: "/", headers: [.contentType: "application/x-www-form-urlencoded; charset=utf-8"],
            body: RequestBody(bytes: Array((form + "&Version=2011-06-15").utf8)), requestID: "r-1")
        request.principal = credential.principal
        let response = await front.respond(to: request)
        return (response.status, String(decoding: try await response.body.collect(upTo: 1 << 16), as: UTF8.self))
    }

    @Test func theCallerLearnsWhoItIsInBothDialects() async throws {
        let root = try await access.bootstrap(account: "123456789012").credential
        let xml = try await call("Action=GetCallerIdentity", as: root)
        #expect(
            xml.body
                == """
                <?xml version="1.0" encoding="UTF-8"?>
                <GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>\
                <Account>123456789012</Account><Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId>\
                </GetCallerIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\
                </GetCallerIdentityResponse>
                """)
        var request = ServiceRequest(
            method: "POST", path: "/", headers: [.contentType: "application/x-amz-json-1.1"],
            body: RequestBody(bytes: Array("{}".utf8)))
        request.setHeader("x-amz-target", "AWSSecurityTokenServiceV20110615.GetCallerIdentity")
        request.principal = root.principal
        let json = await front.respond(to: request)
        #expect(
            String(decoding: try await json.body.collect(upTo: 1000), as: UTF8.self)
                == #"{"Account":"123456789012","Arn":"arn:aws:iam::123456789012:root","UserId":"123456789012"}"#)
    }

    @Test func aSessionTokenMakesCredentialsThatSpeakForTheSameIdentity() async throws {
        let root = try await access.bootstrap(account: "123456789012").credential
        let answer = try await call("Action=GetSessionToken&DurationSeconds=900", as: root)
        #expect(answer.status == 200)
        func element(_ name: String) -> String {
            answer.body.split(separator: "<\(name)>").last?.split(separator: "</").first.map(String.init) ?? ""
        }
        let session = try #require(
            try await access.credential(element("AccessKeyId"), sessionToken: element("SessionToken")))
        #expect(session.secretText == element("SecretAccessKey"))
        #expect(session.principal.arn == root.principal.arn)
        let again = try await call("Action=GetSessionToken", as: session)
        #expect(again.status == 403)
        #expect(again.body.contains("<Code>AccessDenied</Code>"))
    }

    static let refused: [(String, String)] = [
        ("Action=Nonsense", "InvalidAction"),
        ("Action=AssumeRole", "NotImplementedException"),
        ("Other=1", "MissingAction"),
        ("Action=GetSessionToken&DurationSeconds=5", "ValidationError"),
        ("Action=GetSessionToken&DurationSeconds=long", "MalformedInput"),
        ("Action=GetAccessKeyInfo", "ValidationError"),
    ]

    @Test(arguments: refused)
    func whatCannotBeDoneIsRefused(form: String, code: String) async throws {
        let root = try await access.bootstrap(account: "123456789012").credential
        let answer = try await call(form, as: root)
        #expect(answer.status == 400)
        #expect(answer.body.contains("<Code>\(code)</Code>"))
    }
}
