import Cryptography

/// Reads a JSON document (RFC 8259) into a tree. Strict: no comments, no trailing commas, no lone surrogates, no bytes that
/// are not UTF-8.
struct JSONParser {
    /// Why a document was refused.
    enum Flaw: Error, Equatable {
        case malformed
        case tooDeep(maximum: Int)
        case repeatedMember(String)
        /// A member that holds a secret.
        case notBase64(String)
    }

    /// What is refused besides bad grammar.
    struct Limits: Sendable {
        /// The most objects and arrays inside each other.
        var depthMax = 128
        /// Whether an object may name a member twice, of which the last then counts.
        var allowsRepeatedMembers = true
        /// Members of the outermost object whose text is base 64, decoded into secret memory and kept nowhere else.
        var secretMembers: Set<String> = []
    }

    private let bytes: UnsafeRawBufferPointer
    private let limits: Limits
    private var index = 0
    private var depth = 0

    /// The tree of a document.
    static func parse(_ bytes: [UInt8], _ limits: Limits = Limits()) throws(Flaw) -> JSONValue {
        try bytes.withUnsafeBufferPointer { buffer throws(Flaw) in
            try parse(UnsafeRawBufferPointer(buffer), limits)
        }
    }

    /// The tree of a document.
    static func parse(_ bytes: UnsafeRawBufferPointer, _ limits: Limits = Limits()) throws(Flaw) -> JSONValue {
        var parser = JSONParser(bytes: bytes, limits: limits)
        parser.skipBlanks()
        let value = try parser.value()
        parser.skipBlanks()
        guard parser.index == bytes.count else { throw Flaw.malformed }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer, limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    // MARK: Values

    private mutating func value() throws(Flaw) -> JSONValue {
        guard index < bytes.count else { throw .malformed }
        switch bytes[index] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "t"):
            try word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default: return try number()
        }
    }

    private mutating func object() throws(Flaw) -> [String: JSONValue] {
        try enter()
        defer { depth -= 1 }
        var members: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return members }
        while true {
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw .malformed }
            let name = try string()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw .malformed }
            skipBlanks()
            let inner = depth == 1 && limits.secretMembers.contains(name) ? try secret(name) : try value()
            if members.updateValue(inner, forKey: name) != nil, !limits.allowsRepeatedMembers {
                throw .repeatedMember(name)
            }
            skipBlanks()
            if take(UInt8(ascii: "}")) { return members }
            guard take(UInt8(ascii: ",")) else { throw .malformed }
            skipBlanks()
        }
    }

    private mutating func array() throws(Flaw) -> [JSONValue] {
        try enter()
        defer { depth -= 1 }
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value())
            skipBlanks()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw .malformed }
            skipBlanks()
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter() throws(Flaw) {
        depth += 1
        guard depth <= limits.depthMax else { throw .tooDeep(maximum: limits.depthMax) }
        index += 1
        skipBlanks()
    }

    // MARK: Scalars

    private mutating func string() throws(Flaw) -> String {
        index += 1
        let start = index
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                let text = try decode(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                index += 1
                return text
            }
            if byte == UInt8(ascii: "\\") {
                let text = try escapedText(from: start)
                return try text.withUnsafeBufferPointer { buffer throws(Flaw) in
                    try decode(UnsafeRawBufferPointer(buffer))
                }
            }
            guard byte >= 0x20 else { throw .malformed }
            index += 1
        }
        throw .malformed
    }

    /// A string whose text no Swift string is made of. What is no string is read as usual, for it is refused later.
    private mutating func secret(_ name: String) throws(Flaw) -> JSONValue {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return try value() }
        let start = index + 1
        guard let end = bytes[start...].firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
        else { throw .malformed }
        var decoded: SecretBytes?
        if bytes[end] == UInt8(ascii: "\"") {
            decoded = Base64.decodeSecret(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            index = end + 1
        } else {
            // Some write "\/" for a slash. With room enough nothing is left behind by growing.
            index = end
            var text = try escapedText(from: start, reserving: bytes.count - start)
            decoded = text.withUnsafeBytes { Base64.decodeSecret($0) }
            wipe(&text)
        }
        guard let decoded else { throw .notBase64(name) }
        return .secret(SecretBlob(decoded))
    }

    /// A string with at least one escape, at which `index` stands.
    private mutating func escapedText(from start: Int, reserving: Int = 0) throws(Flaw) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(reserving)
        text.append(contentsOf: bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw .malformed
            default: text.append(byte)
            }
        }
        throw .malformed
    }

    private mutating func escape(into text: inout [UInt8]) throws(Flaw) {
        guard index < bytes.count else { throw .malformed }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code) {
                guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
                else { throw .malformed }
                index += 2
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw .malformed }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw .malformed }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw .malformed
        }
    }

    private mutating func hexadecimal() throws(Flaw) -> UInt32 {
        guard index + 4 <= bytes.count else { throw .malformed }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = PercentCoding.hexValue(bytes[index]) else { throw .malformed }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }

    private func decode(_ text: UnsafeRawBufferPointer) throws(Flaw) -> String {
        guard let text = String(validating: text, as: UTF8.self) else { throw .malformed }
        return text
    }

    private mutating func number() throws(Flaw) -> JSONValue {
        let start = index
        var isWhole = true
        _ = take(UInt8(ascii: "-"))
        let first = index
        let whole = digits()
        guard whole > 0, whole == 1 || bytes[first] != UInt8(ascii: "0") else { throw .malformed }
        if take(UInt8(ascii: ".")) {
            isWhole = false
            guard digits() > 0 else { throw .malformed }
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            index += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() > 0 else { throw .malformed }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw .malformed }
        // A fraction that is none, such as 1.0, counts as the whole number that it is.
        return Int64(exactly: number).map(JSONValue.integer) ?? .number(number)
    }

    private mutating func digits() -> Int {
        let start = index
        while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
        return index - start
    }

    private mutating func word(_ text: StaticString) throws(Flaw) {
        let count = text.utf8CodeUnitCount
        let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: count)
        guard bytes.count - index >= count, bytes[index..<(index + count)].elementsEqual(expected) else {
            throw .malformed
        }
        index += count
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }
}
