import AWSProtocol

/// An element of a request's XML document.
struct XMLElement {
    /// The name without a namespace prefix.
    let name: String
    /// The elements inside, in order.
    var children: [XMLElement] = []
    /// The text inside, entities replaced, pieces joined.
    var text = ""

    /// The first child called `name`.
    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The children called `name`.
    func children(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The text of the first child called `name`.
    func value(_ name: String) -> String? { child(name)?.text }
}

/// Reads the small XML documents that S3 clients send (XML 1.0 without document type declarations, which are refused:
/// nothing is ever fetched or expanded).
struct XMLParser {
    /// Elements inside elements, at most.
    private static let depthMax = 32

    private let input: [UInt8]
    private var index = 0

    /// The root element of a document whose root must be called `root`. Throws `MalformedXML`.
    static func parse(_ bytes: [UInt8], root: String) throws(AWSError) -> XMLElement {
        var parser = XMLParser(input: bytes)
        guard let element = parser.document(), element.name == root else { throw S3Error.malformedXML(root) }
        return element
    }

    private init(input: [UInt8]) { self.input = input }

    private mutating func document() -> XMLElement? {
        if input.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        guard skipMiscellany(), let root = element(depth: 0), skipMiscellany(), index == input.count else {
            return nil
        }
        return root
    }

    /// Skips white space, comments and processing instructions. False when one of them does not end.
    private mutating func skipMiscellany() -> Bool {
        while true {
            skipSpace()
            if match("<?") {
                guard skip(through: "?>") else { return false }
            } else if match("<!--") {
                guard skip(through: "-->") else { return false }
            } else {
                return true
            }
        }
    }

    private mutating func element(depth: Int) -> XMLElement? {
        guard depth < Self.depthMax, match("<"), let name = name() else { return nil }
        guard let isEmpty = skipAttributes() else { return nil }
        var result = XMLElement(name: name)
        if isEmpty { return result }
        var text: [UInt8] = []
        while index < input.count {
            if match("</") {
                guard self.name() == name else { return nil }
                skipSpace()
                guard match(">") else { return nil }
                result.text = String(decoding: text, as: UTF8.self)
                return result
            }
            if match("<!--") {
                guard skip(through: "-->") else { return nil }
            } else if match("<![CDATA[") {
                let start = index
                guard skip(through: "]]>") else { return nil }
                text += input[start..<(index - 3)]
            } else if match("<?") {
                guard skip(through: "?>") else { return nil }
            } else if input[index] == UInt8(ascii: "<") {
                guard let child = element(depth: depth + 1) else { return nil }
                result.children.append(child)
            } else if input[index] == UInt8(ascii: "&") {
                guard let character = entity() else { return nil }
                text += character
            } else {
                text.append(input[index])
                index += 1
            }
        }
        return nil
    }

    /// A name without its prefix.
    private mutating func name() -> String? {
        let start = index
        while index < input.count {
            switch input[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: ":"), 0x80...0xFF:
                index += 1
                continue
            default: break
            }
            break
        }
        guard index > start else { return nil }
        let local = input[start..<index].split(separator: UInt8(ascii: ":")).last ?? []
        return String(decoding: local, as: UTF8.self)
    }

    /// Skips to the end of a start tag. True when it is an empty element's, `nil` when it does not end.
    private mutating func skipAttributes() -> Bool? {
        while index < input.count {
            switch input[index] {
            case UInt8(ascii: ">"):
                index += 1
                return false
            case UInt8(ascii: "/"):
                index += 1
                return match(">") ? true : nil
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                let quote = input[index]
                index += 1
                while index < input.count, input[index] != quote { index += 1 }
                index += 1
            case UInt8(ascii: "<"): return nil
            default: index += 1
            }
        }
        return nil
    }

    private mutating func entity() -> [UInt8]? {
        guard let end = input[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let name = String(decoding: input[(index + 1)..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        let code: UInt32?
        if name.hasPrefix("#x") || name.hasPrefix("#X") {
            code = UInt32(name.dropFirst(2), radix: 16)
        } else if name.hasPrefix("#") {
            code = UInt32(name.dropFirst())
        } else {
            code = nil
        }
        return code.flatMap(Unicode.Scalar.init).map { Array(String(Character($0)).utf8) }
    }

    private mutating func skipSpace() {
        while index < input.count, [0x20, 0x09, 0x0A, 0x0D].contains(input[index]) { index += 1 }
    }

    private mutating func match(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard input[index...].starts(with: wanted) else { return false }
        index += wanted.count
        return true
    }

    private mutating func skip(through text: StaticString) -> Bool {
        while index < input.count {
            if match(text) { return true }
            index += 1
        }
        return false
    }
}
