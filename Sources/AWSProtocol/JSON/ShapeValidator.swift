import Cryptography

/// Checks a request's document against the constraints of a ``ShapeTable``.
///
/// Failures are collected over the whole document, in the words that AWS uses: `2 validation errors detected: Value '…' at
/// 'pipeline.stages.1.member.name' failed to satisfy constraint: Member must have length less than or equal to 100; …`.
struct ShapeValidator {
    private let table: ShapeTable
    private var failures: [String] = []
    private var regexes: [String: Regex<AnyRegexOutput>] = [:]

    /// How many failures are spelled out; the rest are only counted.
    static let failuresShown = 20

    private init(table: ShapeTable) { self.table = table }

    /// Checks the input of an operation.
    /// - Throws: `SerializationException` for a member of the wrong type, `ValidationException` for constraints.
    static func validate(_ document: JSONValue, operation: String, table: ShapeTable) throws(AWSError) {
        guard let input = table.inputs[operation], input != "-" else { return }
        var validator = ShapeValidator(table: table)
        try validator.check(document, input, path: { "" })
        guard !validator.failures.isEmpty else { return }
        let count = validator.failures.count
        let shown = validator.failures.prefix(failuresShown).joined(separator: "; ")
        throw AWSError(
            "ValidationException", "\(count) validation error\(count == 1 ? "" : "s") detected: \(shown)")
    }

    /// - Parameter path: where the value stands; spelled out only for a failure, since most requests have none.
    private mutating func check(_ value: JSONValue, _ name: String, path: () -> String) throws(AWSError) {
        guard let shape = table.shapes[name] else { return }
        switch (shape.kind, value) {
        case (.structure(let members), .object(let object)):
            for member in members {
                if let inner = object[member.name], !inner.isNull {
                    try check(inner, member.shape, path: { Self.place(member.name, in: path()) })
                } else if member.isRequired {
                    let place = Self.place(member.name, in: path())
                    failures.append("Value null at '\(place)' failed to satisfy constraint: Member must not be null")
                }
            }
        case (.list(let element), .array(let elements)):
            checkLength(elements.count, value, shape, path)
            for (index, inner) in elements.enumerated() {
                try check(inner, element, path: { "\(path()).\(index + 1).member" })
            }
        case (.map(let key, let inner), .object(let object)):
            checkLength(object.count, value, shape, path)
            try checkMap(object, key: key, value: inner, path: path)
        case (.string, .string(let text)):
            for constraint in violations(of: text, shape) { fail(value, shape, path, constraint) }
        case (.blob, .string(let text)):
            guard let bytes = Base64.decode(text) else { throw Self.mismatch("base 64", value, path()) }
            checkLength(bytes.count, value, shape, path)
        case (.blob, .secret(let blob)): checkLength(blob.bytes.count, value, shape, path)
        case (.integer, .integer(let integer)): checkRange(Double(integer), value, shape, path)
        case (.integer, .number(let number)) where number == number.rounded(): checkRange(number, value, shape, path)
        case (.number, .integer(let integer)): checkRange(Double(integer), value, shape, path)
        case (.number, .number(let number)): checkRange(number, value, shape, path)
        case (.boolean, .bool), (.timestamp, .integer), (.timestamp, .number), (.timestamp, .string): break
        default: throw Self.mismatch(Self.name(of: shape.kind), value, path())
        }
    }

    /// A member's place. The services name members so in these messages, whatever their case on the wire.
    static func place(_ member: String, in path: String) -> String {
        let spelled = member.prefix(1).lowercased() + member.dropFirst()
        return path.isEmpty ? spelled : "\(path).\(spelled)"
    }

    private mutating func checkMap(
        _ object: [String: JSONValue], key: String, value: String, path: () -> String
    ) throws(AWSError) {
        let keyShape = table.shapes[key]
        let valueShape = table.shapes[value]
        var keysFail = false
        var valuesFail = false
        // In order, so that a failure is always the same one.
        for (name, inner) in object.count > 1 ? object.sorted(by: { $0.key < $1.key }) : Array(object) {
            if let keyShape, !keysFail { keysFail = !violations(of: name, keyShape).isEmpty }
            if let valueShape, case .string = valueShape.kind {
                guard case .string(let text) = inner else {
                    throw Self.mismatch("a string", inner, "\(path()).\(name)")
                }
                if !valuesFail { valuesFail = !violations(of: text, valueShape).isEmpty }
            } else {
                try check(inner, value, path: { "\(path()).\(name).member" })
            }
        }
        if keysFail, let keyShape { failMap("keys", keyShape, path()) }
        if valuesFail, let valueShape { failMap("value", valueShape, path()) }
    }

    /// A map's failure lists every constraint of its keys or values and quotes nothing, since values may be secret.
    private mutating func failMap(_ part: String, _ shape: ShapeTable.Shape, _ path: String) {
        failures.append(
            "Value at '\(path)' failed to satisfy constraint: Map \(part) must satisfy constraint: "
                + "[\(constraints(of: shape).joined(separator: ", "))]")
    }

    // MARK: Strings

    private mutating func violations(of text: String, _ shape: ShapeTable.Shape) -> [String] {
        guard case .string(let allowed, let pattern) = shape.kind else { return [] }
        var found: [String] = []
        let length = Double(text.unicodeScalars.count)
        if let maximum = shape.maximum, length > maximum { found.append(Self.atMost(maximum)) }
        if let minimum = shape.minimum, length < minimum { found.append(Self.atLeast(minimum)) }
        // A text that is too long is refused anyway; it need not be searched.
        let isTooLong = shape.maximum.map { length > $0 } ?? false
        if let pattern, !isTooLong, !matches(text, pattern) { found.append(Self.mustMatch(pattern)) }
        if !allowed.isEmpty, !allowed.contains(text) { found.append(Self.mustBeOneOf(allowed)) }
        return found
    }

    private func constraints(of shape: ShapeTable.Shape) -> [String] {
        guard case .string(let allowed, let pattern) = shape.kind else { return [] }
        var all: [String] = []
        if let maximum = shape.maximum { all.append(Self.atMost(maximum)) }
        if let minimum = shape.minimum { all.append(Self.atLeast(minimum)) }
        if let pattern { all.append(Self.mustMatch(pattern)) }
        if !allowed.isEmpty { all.append(Self.mustBeOneOf(allowed)) }
        return all
    }

    private mutating func matches(_ text: String, _ pattern: String) -> Bool {
        let regex: Regex<AnyRegexOutput>
        if let known = regexes[pattern] {
            regex = known
        } else {
            // A test makes sure that every pattern of every table can be compiled.
            guard let made = try? ShapePattern.compile(pattern) else { return true }
            regexes[pattern] = made
            regex = made
        }
        // Matching only throws from custom code inside an expression, and there is none.
        return (try? regex.wholeMatch(in: text)) != nil
    }

    // MARK: Words

    private mutating func checkLength(
        _ count: Int, _ value: JSONValue, _ shape: ShapeTable.Shape, _ path: () -> String
    ) {
        if let maximum = shape.maximum, Double(count) > maximum { fail(value, shape, path, Self.atMost(maximum)) }
        if let minimum = shape.minimum, Double(count) < minimum { fail(value, shape, path, Self.atLeast(minimum)) }
    }

    private mutating func checkRange(
        _ number: Double, _ value: JSONValue, _ shape: ShapeTable.Shape, _ path: () -> String
    ) {
        if let maximum = shape.maximum, number > maximum {
            fail(value, shape, path, "Member must have value less than or equal to \(Self.plain(maximum))")
        }
        if let minimum = shape.minimum, number < minimum {
            fail(value, shape, path, "Member must have value greater than or equal to \(Self.plain(minimum))")
        }
    }

    private mutating func fail(
        _ value: JSONValue, _ shape: ShapeTable.Shape, _ path: () -> String, _ constraint: String
    ) {
        var quoted = ""
        switch value {
        case .string(let text) where !shape.isSensitive: quoted = "'\(text.prefix(256))' "
        case .integer(let integer) where !shape.isSensitive: quoted = "'\(integer)' "
        case .number(let number) where !shape.isSensitive: quoted = "'\(number)' "
        default: break
        }
        failures.append("Value \(quoted)at '\(path())' failed to satisfy constraint: \(constraint)")
    }

    private static func atMost(_ bound: Double) -> String {
        "Member must have length less than or equal to \(plain(bound))"
    }

    private static func atLeast(_ bound: Double) -> String {
        "Member must have length greater than or equal to \(plain(bound))"
    }

    private static func mustMatch(_ pattern: String) -> String {
        "Member must satisfy regular expression pattern: \(pattern)"
    }

    private static func mustBeOneOf(_ allowed: [String]) -> String {
        "Member must satisfy enum value set: [\(allowed.joined(separator: ", "))]"
    }

    private static func plain(_ number: Double) -> String {
        Int64(exactly: number).map(String.init) ?? String(number)
    }

    private static func name(of kind: ShapeTable.Kind) -> String {
        switch kind {
        case .structure, .map: "an object"
        case .list: "a list"
        case .string: "a string"
        case .integer: "a whole number"
        case .number, .timestamp: "a number"
        case .boolean: "a boolean"
        case .blob: "base 64"
        }
    }

    private static func mismatch(_ expected: String, _ value: JSONValue, _ path: String) -> AWSError {
        AWSError(
            "SerializationException",
            "\(path.isEmpty ? "The request" : "'\(path)'") must be \(expected), not \(value.kindName).")
    }
}

/// Regular expressions of the service models, which are Java's.
enum ShapePattern {
    /// Compiles a pattern to be matched against whole strings, by Unicode scalar, with Java's ASCII classes.
    static func compile(_ pattern: String) throws -> Regex<AnyRegexOutput> {
        try Regex(pattern).matchingSemantics(.unicodeScalar).asciiOnlyWordCharacters().asciiOnlyDigits()
    }
}
