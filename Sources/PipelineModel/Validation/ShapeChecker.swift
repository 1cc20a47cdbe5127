/// Collects violations of shape constraints and words them as AWS does: each quotes the value, the member's path (list
/// positions from 1, `.member.` between) and the constraint.
///
/// The fronts use it too, for the members of requests that are no part of a declaration.
public struct ShapeChecker {
    private var violations: [String] = []

    /// Nothing collected yet.
    public init() {}

    /// Whether nothing was violated so far.
    public var isEmpty: Bool { violations.isEmpty }

    /// Throws a ValidationException that lists everything collected.
    public func finish() throws(PipelineError) {
        guard !violations.isEmpty else { return }
        let count = violations.count
        throw PipelineError(
            .validation,
            "\(count) validation error\(count == 1 ? "" : "s") detected: " + violations.joined(separator: "; "))
    }

    /// Records a violation.
    public mutating func violate(_ path: String, value: String?, _ constraint: String) {
        // Messages are answered to the caller: quote no more of a value than a person can read.
        let shown = value.map { $0.count > 200 ? "'\($0.prefix(200))…'" : "'\($0)'" } ?? "null"
        violations.append("Value \(shown) at '\(path)' failed to satisfy constraint: \(constraint)")
    }

    /// Checks length (in UTF-16 units, as Java counts) and pattern of a string; absent is fine.
    public mutating func text(
        _ value: String?, _ path: String, _ length: ClosedRange<Int>? = nil, _ pattern: ShapePattern? = nil,
        isSecret: Bool = false
    ) {
        guard let value else { return }
        let shown = isSecret ? "****" : value
        if let length {
            let count = value.utf16.count
            if count > length.upperBound {
                violate(path, value: shown, "Member must have length less than or equal to \(length.upperBound)")
            }
            if count < length.lowerBound {
                violate(path, value: shown, "Member must have length greater than or equal to \(length.lowerBound)")
            }
        }
        if let pattern, !pattern.matches(value) {
            violate(path, value: shown, "Member must satisfy regular expression pattern: \(pattern.expression)")
        }
    }

    /// Checks that a value is one of the well-known ones.
    public mutating func enumeration<E: OpenEnumeration>(_ value: E?, _ path: String) {
        guard let value, !value.isKnown else { return }
        enumeration(value.rawValue, path, E.known.map(\.rawValue))
    }

    /// Checks that a value is one of `allowed`.
    public mutating func enumeration(_ value: String?, _ path: String, _ allowed: [String]) {
        guard let value, !allowed.contains(value) else { return }
        violate(path, value: value, "Member must satisfy enum value set: [\(allowed.joined(separator: ", "))]")
    }

    /// Checks a number.
    public mutating func number(_ value: Int?, _ path: String, _ range: ClosedRange<Int>) {
        guard let value else { return }
        if value > range.upperBound {
            violate(path, value: String(value), "Member must have value less than or equal to \(range.upperBound)")
        }
        if value < range.lowerBound {
            violate(path, value: String(value), "Member must have value greater than or equal to \(range.lowerBound)")
        }
    }

    /// Checks the number of elements of a list or map.
    public mutating func count(_ value: Int?, _ path: String, _ range: ClosedRange<Int>) {
        guard let value else { return }
        if value > range.upperBound {
            violate(
                path, value: "[\(value) members]",
                "Member must have length less than or equal to \(range.upperBound)")
        }
        if value < range.lowerBound {
            violate(
                path, value: "[\(value) members]",
                "Member must have length greater than or equal to \(range.lowerBound)")
        }
    }

    /// Checks keys and values of a map.
    public mutating func map(
        _ value: [String: String]?, _ path: String, keys: ClosedRange<Int>, values: ClosedRange<Int>
    ) {
        guard let value else { return }
        for (key, text) in value.sorted(by: { $0.key < $1.key }) {
            if !keys.contains(key.utf16.count) {
                violate(path, value: "{\(key.prefix(80))}", "Map keys must satisfy constraint: [\(lengths(keys))]")
            }
            if !values.contains(text.utf16.count) {
                violate(path, value: "{\(key.prefix(80))}", "Map value must satisfy constraint: [\(lengths(values))]")
            }
        }
    }

    private func lengths(_ range: ClosedRange<Int>) -> String {
        "Member must have length less than or equal to \(range.upperBound), "
            + "Member must have length greater than or equal to \(range.lowerBound)"
    }
}

/// A pattern of the service model: the expression that refusals quote and a hand-written matcher.
public struct ShapePattern: Sendable {
    /// The regular expression as the service model has it.
    public var expression: String
    /// Whether a whole string matches.
    public var matches: @Sendable (String) -> Bool

    /// A pattern.
    public init(_ expression: String, _ matches: @escaping @Sendable (String) -> Bool) {
        self.expression = expression
        self.matches = matches
    }

    static func isAlphanumeric(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
    }

    static func isNamespaceCharacter(_ character: Character) -> Bool {
        isAlphanumeric(character) || character == "@" || character == "-" || character == "_"
    }

    private static func each(_ expression: String, plus extra: String) -> ShapePattern {
        ShapePattern(expression) { text in text.allSatisfy { isAlphanumeric($0) || extra.contains($0) } }
    }

    /// Names of pipelines, stages and actions.
    public static let name = each(#"[A-Za-z0-9.@\-_]+"#, plus: ".@-_")
    /// Names of artifacts.
    public static let artifactName = each(#"[a-zA-Z0-9_\-]+"#, plus: "_-")
    /// Names of namespaces and pipeline variables.
    public static let namespace = each(#"[A-Za-z0-9@\-_]+"#, plus: "@-_")
    /// Providers and versions of action types.
    public static let provider = each(#"[0-9A-Za-z_-]+"#, plus: "_-")
    /// Names of environment variables.
    public static let environmentName = each(#"[A-Za-z0-9_]+"#, plus: "_")
    /// Buckets.
    public static let bucket = each(#"[a-zA-Z0-9\-\.]+"#, plus: "-.")
    /// Client request tokens.
    public static let requestToken = each("^[a-zA-Z0-9-]+$", plus: "-")
    /// Reasons for disabling a transition.
    public static let disableReason = each(#"[a-zA-Z0-9!@ \(\)\.\*\?\-]+"#, plus: "!@ ().*?-")
    /// Lowercase UUIDs: execution ids, approval tokens, job ids.
    public static let uuid = ShapePattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}") { text in
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.count) == [8, 4, 4, 4, 12]
            && groups.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit && !$0.isUppercase } }
    }
    /// ARNs of IAM roles.
    public static let roleARN = ShapePattern(#"arn:aws(-[\w]+)*:iam::[0-9]{12}:role/.*"#) { text in
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "iam", parts[3].isEmpty, parts[5].hasPrefix("role/")
        else { return false }
        let partition = parts[1].split(separator: "-", omittingEmptySubsequences: false)
        return partition.first == "aws"
            && partition.dropFirst().allSatisfy { part in
                !part.isEmpty && part.allSatisfy { isAlphanumeric($0) || $0 == "_" }
            }
            && parts[4].count == 12 && parts[4].allSatisfy { $0.isASCII && $0.isNumber }
    }
}
