import Foundation
import KeyHierarchy

/// One condition of a policy statement: an operator, a key and values.
struct PolicyCondition: Sendable {
    enum Operator: String, Sendable, CaseIterable {
        case stringEquals = "StringEquals"
        case stringNotEquals = "StringNotEquals"
        case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
        case stringNotEqualsIgnoreCase = "StringNotEqualsIgnoreCase"
        case stringLike = "StringLike"
        case stringNotLike = "StringNotLike"
        case arnEquals = "ArnEquals"
        case arnLike = "ArnLike"
        case arnNotEquals = "ArnNotEquals"
        case arnNotLike = "ArnNotLike"
        case bool = "Bool"
        case null = "Null"
        case numericEquals = "NumericEquals"
        case numericNotEquals = "NumericNotEquals"
        case numericLessThan = "NumericLessThan"
        case numericLessThanEquals = "NumericLessThanEquals"
        case numericGreaterThan = "NumericGreaterThan"
        case numericGreaterThanEquals = "NumericGreaterThanEquals"
        case dateEquals = "DateEquals"
        case dateNotEquals = "DateNotEquals"
        case dateLessThan = "DateLessThan"
        case dateLessThanEquals = "DateLessThanEquals"
        case dateGreaterThan = "DateGreaterThan"
        case dateGreaterThanEquals = "DateGreaterThanEquals"
        case ipAddress = "IpAddress"
        case notIPAddress = "NotIpAddress"

        /// Negated operators hold when no value matches.
        var isNegated: Bool { rawValue.contains("Not") }
    }

    enum Quantifier: Sendable { case none, forAll, forAny }

    let `operator`: Operator
    let quantifier: Quantifier
    let ifExists: Bool
    /// Lowercase: condition keys are compared without regard to case.
    let key: String
    let values: [String]

    init(_ name: String, key: String, values: [String]) throws(KeyError) {
        var rest = Substring(name)
        if rest.hasPrefix("ForAllValues:") {
            quantifier = .forAll
            rest = rest.dropFirst("ForAllValues:".count)
        } else if rest.hasPrefix("ForAnyValue:") {
            quantifier = .forAny
            rest = rest.dropFirst("ForAnyValue:".count)
        } else {
            quantifier = .none
        }
        ifExists = rest.hasSuffix("IfExists")
        if ifExists { rest = rest.dropLast("IfExists".count) }
        guard let known = Operator(rawValue: String(rest)) else {
            throw KeyPolicy.malformed("the condition operator \(name) is not known")
        }
        self.operator = known
        self.key = key.lowercased()
        self.values = values
    }

    /// Whether the condition holds for a request's values by lowercase key.
    func holds(_ request: [String: [String]]) -> Bool {
        let present = request[key]
        if `operator` == .null {
            return values.contains { ($0 == "true") == (present == nil) }
        }
        guard let present else {
            // A missing key fails every operator but the negated ones, and satisfies a quantifier over all values.
            return ifExists || `operator`.isNegated || quantifier == .forAll
        }
        func holds(_ actual: String) -> Bool {
            let matched = values.contains { matches(actual, $0) }
            return `operator`.isNegated ? !matched : matched
        }
        return quantifier == .forAll ? present.allSatisfy(holds) : present.contains(where: holds)
    }

    private func matches(_ actual: String, _ wanted: String) -> Bool {
        switch `operator` {
        case .stringEquals, .stringNotEquals: Exact.equal(actual, wanted)
        case .stringEqualsIgnoreCase, .stringNotEqualsIgnoreCase:
            Exact.equal(actual.lowercased(), wanted.lowercased())
        case .stringLike, .stringNotLike, .arnEquals, .arnLike, .arnNotEquals, .arnNotLike:
            Wildcard.matches(wanted, actual)
        case .bool: actual.lowercased() == wanted.lowercased()
        case .null: false
        case .numericEquals, .numericNotEquals: compare(Double(actual), Double(wanted), ==)
        case .numericLessThan: compare(Double(actual), Double(wanted), <)
        case .numericLessThanEquals: compare(Double(actual), Double(wanted), <=)
        case .numericGreaterThan: compare(Double(actual), Double(wanted), >)
        case .numericGreaterThanEquals: compare(Double(actual), Double(wanted), >=)
        case .dateEquals, .dateNotEquals: compare(Self.time(actual), Self.time(wanted), ==)
        case .dateLessThan: compare(Self.time(actual), Self.time(wanted), <)
        case .dateLessThanEquals: compare(Self.time(actual), Self.time(wanted), <=)
        case .dateGreaterThan: compare(Self.time(actual), Self.time(wanted), >)
        case .dateGreaterThanEquals: compare(Self.time(actual), Self.time(wanted), >=)
        case .ipAddress, .notIPAddress: AddressRange(wanted)?.contains(actual) ?? false
        }
    }

    private func compare(_ a: Double?, _ b: Double?, _ relation: (Double, Double) -> Bool) -> Bool {
        guard let a, let b else { return false }
        return relation(a, b)
    }

    private static func time(_ text: String) -> Double? {
        if let seconds = Double(text) { return seconds }
        return (try? Date(text, strategy: .iso8601))?.timeIntervalSince1970
    }
}

/// Text as its bytes: what Unicode holds to be the same in other words is not the same to a policy, as it is not to a
/// ciphertext's encryption context.
enum Exact {
    static func equal(_ a: String, _ b: String) -> Bool {
        var (a, b) = (a, b)
        return a.withUTF8 { a in b.withUTF8 { b in a.count == b.count && a.elementsEqual(b) } }
    }
}

/// `*` and `?` as policies use them.
enum Wildcard {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        if pattern == "*" { return true }
        // Bytes serve as well as characters, unless a `?` has to stand for one of several bytes.
        guard pattern.utf8.contains(UInt8(ascii: "?")) else {
            var (pattern, text) = (pattern, text)
            return pattern.withUTF8 { pattern in
                text.withUTF8 { matches(pattern, $0, any: UInt8(ascii: "*"), one: nil) }
            }
        }
        return matches(Array(pattern.unicodeScalars), Array(text.unicodeScalars), any: "*", one: "?")
    }

    private static func matches<Text: RandomAccessCollection>(
        _ pattern: Text, _ text: Text, any: Text.Element, one: Text.Element?
    ) -> Bool where Text.Element: Equatable, Text.Index == Int {
        var p = 0
        var t = 0
        var star: Int?
        var mark = 0
        while t < text.count {
            if p < pattern.count, pattern[p] == any {
                star = p
                mark = t
                p += 1
            } else if p < pattern.count, pattern[p] == one || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let back = star {
                p = back + 1
                mark += 1
                t = mark
            } else {
                return false
            }
        }
        while p < pattern.count, pattern[p] == any { p += 1 }
        return p == pattern.count
    }
}

/// An IPv4 range in CIDR notation.
struct AddressRange {
    private let base: UInt32
    private let mask: UInt32

    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1)
        guard let first = parts.first, let address = Self.parse(first) else { return nil }
        let bits = parts.count == 2 ? Int(parts[1]) : 32
        guard let bits, (0...32).contains(bits) else { return nil }
        mask = bits == 0 ? 0 : UInt32.max << UInt32(32 - bits)
        base = address & mask
    }

    func contains(_ text: String) -> Bool { Self.parse(text[...]).map { $0 & mask == base } ?? false }

    private static func parse(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4 else { return nil }
        return parts.reduce(UInt32?.some(0)) { sum, part in sum.flatMap { sum in part.map { sum << 8 | UInt32($0) } } }
    }
}
