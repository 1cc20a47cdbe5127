import AWSProtocol
import AccessControl
import Foundation
import Testing

@testable import KMSAPI
@testable import KeyHierarchy

/// Decisions about generated policies, compared with a reading of the same statements that is too simple to be wrong.
@Suite struct PolicyPropertyTests {
    private static let (own, other) = (KMSBench.account, "222222222222")

    private static let principals: [Principal] = [
        .root(account: own, accessKeyID: "A"), .root(account: other, accessKeyID: "B"),
        AuthorizationTests.role("reader", actions: ["kms:Decrypt"]),
        AuthorizationTests.role("writer", actions: ["kms:*"]),
        AuthorizationTests.role("reader", account: other, actions: ["kms:*"]),
    ]

    private static let names = [
        "*", own, other, "arn:aws:iam::\(own):root", "arn:aws:iam::\(other):root", "arn:aws:iam::\(own):role/reader",
        "arn:aws:iam::\(own):role/writer", "arn:aws:iam::\(other):role/reader",
        "arn:aws:sts::\(own):assumed-role/writer/s",
    ]

    private static let contexts: [[String: String]] = [
        [:], ["Dept": "IT"], ["dept": "HR"], ["Dept": "IT", "Stage": "prod"], ["Stage": "test"],
    ]

    /// A condition in the words of a policy, and what it means.
    private struct Condition: Sendable {
        var text: String
        var holds: @Sendable (Request) -> Bool
    }

    private struct Request: Sendable {
        var principal: Principal
        var action: String
        var context: [String: String]
        var isSecure: Bool

        /// The value of a pair whose name is compared without regard to case.
        func pair(_ name: String) -> String? {
            context.first { $0.key.lowercased() == name.lowercased() }?.value
        }
    }

    private static let conditions: [Condition] = [
        Condition(text: #""StringEquals":{"kms:EncryptionContext:Dept":"IT"}"#) { $0.pair("dept") == "IT" },
        Condition(text: #""StringNotEquals":{"kms:EncryptionContext:dept":["IT","HR"]}"#) {
            $0.pair("dept") != "IT" && $0.pair("dept") != "HR"
        },
        Condition(text: #""StringEqualsIfExists":{"kms:EncryptionContext:Dept":"HR"}"#) {
            $0.pair("dept") == nil || $0.pair("dept") == "HR"
        },
        Condition(text: #""StringLike":{"kms:EncryptionContext:Stage":"p*d"}"#) { $0.pair("stage") == "prod" },
        Condition(text: #""Null":{"kms:EncryptionContext:Stage":"true"}"#) { $0.pair("stage") == nil },
        Condition(text: #""ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["Dept","dept"]}"#) {
            $0.context.keys.allSatisfy { $0.lowercased() == "dept" }
        },
        Condition(text: #""ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":["Stage"]}"#) {
            $0.context["Stage"] != nil
        },
        Condition(text: #""Bool":{"aws:SecureTransport":"true"}"#) { $0.isSecure },
        Condition(text: #""StringEquals":{"kms:CallerAccount":"\#(own)"}"#) { $0.principal.account == own },
    ]

    private static let actions: [(text: String, names: Set<String>)] = [
        ("kms:*", ["Encrypt", "Decrypt", "DescribeKey"]), ("kms:Decrypt", ["Decrypt"]), ("kms:decrypt", ["Decrypt"]),
        ("kms:De*", ["Decrypt", "DescribeKey"]), ("kms:?ncrypt", ["Encrypt"]), ("kms:*crypt", ["Encrypt", "Decrypt"]),
        ("kms:DescribeKey", ["DescribeKey"]),
    ]

    private struct Statement {
        var allows: Bool
        var names: [String]
        var isNotPrincipal: Bool
        var actions: [Int]
        var isNotAction: Bool
        var resource: Int
        var conditions: [Int]

        init(_ generator: inout Generator) {
            allows = generator.below(3) > 0
            names = (0...generator.below(2)).map { _ in PolicyPropertyTests.names[generator.below(9)] }
            isNotPrincipal = generator.below(5) == 0
            actions = (0...generator.below(2)).map { _ in generator.below(PolicyPropertyTests.actions.count) }
            isNotAction = generator.below(5) == 0
            resource = generator.below(6)
            conditions = generator.below(2) == 0 ? [] : [generator.below(PolicyPropertyTests.conditions.count)]
        }

        func text(_ arn: String) -> String {
            func list(_ items: [String]) -> String { "[" + items.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
            let resource = ["\"*\"", "\"\(arn)\"", "\"arn:aws:kms:*\"", "\"\(arn)0\"", "[\"*\"]", "\"*\""][resource]
            var members = [
                "\"Effect\":\"\(allows ? "Allow" : "Deny")\"",
                "\"\(isNotPrincipal ? "NotPrincipal" : "Principal")\":{\"AWS\":\(list(names))}",
                "\"\(isNotAction ? "NotAction" : "Action")\":"
                    + list(actions.map { PolicyPropertyTests.actions[$0].text }),
                "\"Resource\":\(resource)",
            ]
            let said = conditions.map { PolicyPropertyTests.conditions[$0].text }
            if !said.isEmpty { members.append("\"Condition\":{\(said.joined(separator: ","))}") }
            return "{" + members.joined(separator: ",") + "}"
        }

        func applies(to request: Request) -> Bool {
            let isNamed = names.contains { names in PolicyPropertyTests.means(names, request.principal) }
            let isAction = actions.contains { PolicyPropertyTests.actions[$0].names.contains(request.action) }
            return isNamed != isNotPrincipal && isAction != isNotAction && resource != 3
                && conditions.allSatisfy { PolicyPropertyTests.conditions[$0].holds(request) }
        }
    }

    private struct Generator {
        var state: UInt64

        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }

    /// Whether a name in a policy means a principal: everybody, its account, its role, itself.
    private static func means(_ name: String, _ principal: Principal) -> Bool {
        if name == "*" || name == principal.account || name == "arn:aws:iam::\(principal.account):root" { return true }
        guard principal.kind == .session else { return false }
        let role = principal.arn.split(separator: "/")[1]
        return name == principal.arn || name == "arn:aws:iam::\(principal.account):role/\(role)"
    }

    @Test("Generated policies are decided as a naive reading decides them") func decisions() async throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        print("seed \(seed)")
        var generator = Generator(state: seed)
        let bench = try await KMSBench()
        let scope = AccountRegion(account: Self.own, region: "us-east-1")
        var key = try await bench.keys.key(scope, try await bench.key())
        let authorizer = KMSAuthorizer(keys: bench.keys, access: bench.access)
        var counts = (allowed: 0, refused: 0)
        for _ in 0..<400 {
            let statements = (0...generator.below(3)).map { _ in Statement(&generator) }
            key.policy =
                "{\"Version\":\"2012-10-17\",\"Statement\":[\(statements.map { $0.text(key.arn) }.joined(separator: ","))]}"
            for _ in 0..<12 {
                let request = Request(
                    principal: Self.principals[generator.below(5)],
                    action: ["Encrypt", "Decrypt", "DescribeKey"][generator.below(3)],
                    context: Self.contexts[generator.below(5)], isSecure: generator.below(2) == 0)
                let action = "kms:\(request.action)"
                let within =
                    request.principal.grant?.statements.contains { $0.allows(action: action, resource: key.arn) }
                    ?? true
                let expected =
                    within && statements.contains { $0.allows && $0.applies(to: request) }
                    && !statements.contains { !$0.allows && $0.applies(to: request) }
                let call = KMSCall(
                    principal: request.principal, region: "us-east-1",
                    ServiceRequest(method: "POST", path: "/", isSecure: request.isSecure))
                var decided = true
                do {
                    try await authorizer.authorize(
                        call, KMSAction(request.action, context: request.context), on: key)
                } catch let error as KeyError where error.code == .accessDenied {
                    decided = false
                }
                #expect(decided == expected, "\(key.policy) for \(request)")
                if decided { counts.allowed += 1 } else { counts.refused += 1 }
            }
        }
        #expect(counts.allowed > 200 && counts.refused > 200)
    }

    @Test("Text that only looks the same is not the same: no Unicode normalisation in contexts, grants and conditions")
    func normalisation() async throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        let condition = try PolicyCondition("StringEquals", key: "kms:EncryptionContext:name", values: [composed])
        #expect(condition.holds(["kms:encryptioncontext:name": [composed]]))
        #expect(!condition.holds(["kms:encryptioncontext:name": [decomposed]]))
        let like = try PolicyCondition("StringLike", key: "kms:EncryptionContext:name", values: ["caf\u{E9}*"])
        #expect(!like.holds(["kms:encryptioncontext:name": [decomposed]]))
        let grant = KMSGrant(
            grantID: "", scope: AccountRegion(account: Self.own, region: "us-east-1"), keyID: "", granteePrincipal: "",
            retiringPrincipal: nil, issuingAccount: "", operations: ["Decrypt"], contextSubset: ["Name": composed],
            contextEquals: nil, name: nil, createdAt: 0)
        #expect(grant.constraintsHold(["name": composed, "more": "x"]))
        #expect(!grant.constraintsHold(["name": decomposed]))
        // Two pairs whose names differ in case only: which of them a constraint means cannot be told.
        #expect(!grant.constraintsHold(["name": composed, "NAME": "other"]))
    }
}
