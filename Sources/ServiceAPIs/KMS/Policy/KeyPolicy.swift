import Foundation
import KeyHierarchy

/// A key policy, parsed. See the IAM policy grammar in the IAM User Guide.
struct KeyPolicy: Sendable {
    struct Statement: Sendable {
        var allows: Bool
        /// AWS principals; `*` for everyone. Empty when the statement names only principals of other kinds.
        var principals: [PrincipalPattern]
        var isNotPrincipal: Bool
        /// Lowercase: actions are compared without regard to case.
        var actions: [String]
        var isNotAction: Bool
        var resources: [String]
        var isNotResource: Bool
        var conditions: [PolicyCondition]
    }

    /// One principal of a statement.
    struct PrincipalPattern: Sendable {
        var text: String
        /// The account that is meant as a whole: twelve digits by themselves, or the ARN of its root.
        var account: String?

        init(_ text: String) {
            self.text = text
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            if parts.count == 6, parts[5] == "root" {
                account = String(parts[4])
            } else if parts.count == 1 {
                account = text
            }
        }
    }

    let statements: [Statement]
    /// Whether any statement looks at anything but who asks for what.
    let hasConditions: Bool

    /// Parses a policy document. Throws `malformedPolicy` with what is wrong.
    init(parsing text: String) throws(KeyError) {
        guard text.utf8.count <= KMSLimits.policyBytes else {
            throw KeyError(
                .limitExceeded,
                "The key policy has \(text.utf8.count) bytes; at most \(KMSLimits.policyBytes) are allowed.")
        }
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
            throw Self.malformed("it is not a JSON object")
        }
        for name in object.keys where !["Version", "Id", "Statement"].contains(name) {
            throw Self.malformed("the member \(name) is not known")
        }
        if let version = object["Version"] {
            guard let version = version as? String, ["2012-10-17", "2008-10-17"].contains(version) else {
                throw Self.malformed("Version must be 2012-10-17")
            }
        }
        let list: [Any]
        switch object["Statement"] {
        case let many as [Any]: list = many
        case let one as [String: Any]: list = [one]
        default: throw Self.malformed("Statement is missing")
        }
        var parsed: [Statement] = []
        for item in list {
            guard let item = item as? [String: Any] else { throw Self.malformed("a Statement is not an object") }
            parsed.append(try Self.statement(item))
        }
        guard !parsed.isEmpty else { throw Self.malformed("it has no statement") }
        statements = parsed
        hasConditions = parsed.contains { !$0.conditions.isEmpty }
    }

    static func malformed(_ reason: String) -> KeyError {
        KeyError(.malformedPolicy, "The key policy is malformed: \(reason).")
    }

    private static func statement(_ item: [String: Any]) throws(KeyError) -> Statement {
        let known: Set = [
            "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
        ]
        if let unknown = item.keys.first(where: { !known.contains($0) }) {
            throw malformed("the statement member \(unknown) is not known")
        }
        guard let effect = item["Effect"] as? String, effect == "Allow" || effect == "Deny" else {
            throw malformed("Effect must be Allow or Deny")
        }
        guard (item["Principal"] == nil) != (item["NotPrincipal"] == nil) else {
            throw malformed("a statement has either Principal or NotPrincipal")
        }
        guard (item["Action"] == nil) != (item["NotAction"] == nil) else {
            throw malformed("a statement has either Action or NotAction")
        }
        let actions = try strings(item["Action"] ?? item["NotAction"], "Action")
        for action in actions where action != "*" && !action.lowercased().hasPrefix("kms:") {
            throw malformed("the action \(action) is not one of kms")
        }
        var conditions: [PolicyCondition] = []
        if let block = item["Condition"] {
            guard let block = block as? [String: Any] else { throw malformed("Condition is not an object") }
            for (name, keys) in block {
                guard let keys = keys as? [String: Any] else { throw malformed("Condition \(name) is not an object") }
                for (key, values) in keys {
                    conditions.append(
                        try PolicyCondition(name, key: key, values: try strings(values, "Condition \(key)")))
                }
            }
        }
        let resources = item["Resource"] ?? item["NotResource"]
        return Statement(
            allows: effect == "Allow",
            principals: try principals(item["Principal"] ?? item["NotPrincipal"]).map { PrincipalPattern($0) },
            isNotPrincipal: item["NotPrincipal"] != nil, actions: actions.map { $0.lowercased() },
            isNotAction: item["NotAction"] != nil,
            resources: resources == nil ? ["*"] : try strings(resources, "Resource"),
            isNotResource: item["NotResource"] != nil, conditions: conditions)
    }

    private static func strings(_ value: Any?, _ what: String) throws(KeyError) -> [String] {
        switch value {
        case let one as String: return [one]
        case let flag as Bool: return [flag ? "true" : "false"]
        case let number as NSNumber: return [number.stringValue]
        case let many as [Any]:
            var result: [String] = []
            for item in many { result += try strings(item, what) }
            return result
        default: throw malformed("\(what) is not a string or a list of strings")
        }
    }

    private static func principals(_ value: Any?) throws(KeyError) -> [String] {
        if let all = value as? String {
            guard all == "*" else { throw malformed("Principal must be an object or *") }
            return ["*"]
        }
        guard let kinds = value as? [String: Any], !kinds.isEmpty else { throw malformed("Principal is not an object") }
        for kind in kinds.keys where !["AWS", "Service", "Federated", "CanonicalUser"].contains(kind) {
            throw malformed("the kind of principal \(kind) is not known")
        }
        guard let aws = kinds["AWS"] else { return [] }
        let names = try strings(aws, "Principal")
        for name in names {
            let isAccount = name.utf8.count == 12 && name.utf8.allSatisfy { (0x30...0x39).contains($0) }
            guard name == "*" || isAccount || name.hasPrefix("arn:") || name.hasPrefix("AIDA") || name.hasPrefix("AROA")
            else { throw malformed("the principal \(name) is not valid") }
        }
        return names
    }

    /// The policy of a key that was made without one: the account decides through IAM.
    static func standard(account: String, partition: String) -> String {
        """
        {
          "Version" : "2012-10-17",
          "Id" : "key-default-1",
          "Statement" : [ {
            "Sid" : "Enable IAM policies",
            "Effect" : "Allow",
            "Principal" : {
              "AWS" : "arn:\(partition):iam::\(account):root"
            },
            "Action" : "kms:*",
            "Resource" : "*"
          } ]
        }
        """
    }
}
