import Cryptography
import Foundation

/// JSON text under construction. Secrets are not in it: their places are noted, so that the whole can be put together in
/// memory of the right size, which is secret too and never grows.
struct JSONText {
    /// Everything but the secrets.
    fileprivate(set) var plain: [UInt8] = []
    /// What goes where into ``plain``, in order, in base 64.
    fileprivate(set) var secrets: [(offset: Int, blob: SecretBlob)] = []

    fileprivate init() { plain.reserveCapacity(512) }

    /// The whole text.
    func secret() -> SecretBytes {
        let count = secrets.reduce(plain.count) { $0 + Base64.encodedCount($1.blob.bytes.count) }
        return SecretBytes(count: count) { target in
            plain.withUnsafeBytes { plain in
                var written = 0
                var taken = 0
                func copy(upTo end: Int) {
                    UnsafeMutableRawBufferPointer(rebasing: target[written...])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: plain[taken..<end]))
                    written += end - taken
                    taken = end
                }
                for (offset, blob) in secrets {
                    copy(upTo: offset)
                    let count = Base64.encodedCount(blob.bytes.count)
                    let place = UnsafeMutableRawBufferPointer(rebasing: target[written..<(written + count)])
                    blob.bytes.withUnsafeBytes { Base64.encode($0, into: place) }
                    written += count
                }
                copy(upTo: plain.count)
            }
        }
    }
}

/// Writes a tree as JSON text: members in the order of their names, nothing escaped that need not be.
enum JSONWriter {
    fileprivate static func write(_ value: JSONValue, into out: inout JSONText) {
        switch value {
        case .null: out.plain.append(contentsOf: "null".utf8)
        case .bool(let flag): out.plain.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let integer): out.plain.append(contentsOf: String(integer).utf8)
        case .number(let number): write(number, into: &out.plain)
        case .string(let text): write(text, into: &out.plain)
        case .secret(let blob):
            out.plain.append(UInt8(ascii: "\""))
            out.secrets.append((out.plain.count, blob))
            out.plain.append(UInt8(ascii: "\""))
        case .array(let elements):
            out.plain.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.plain.append(UInt8(ascii: ",")) }
                write(element, into: &out)
            }
            out.plain.append(UInt8(ascii: "]"))
        case .object(let members):
            out.plain.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out.plain.append(UInt8(ascii: ",")) }
                write(member.key, into: &out.plain)
                out.plain.append(UInt8(ascii: ":"))
                write(member.value, into: &out)
            }
            out.plain.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ number: Double, into out: inout [UInt8]) {
        // Whole numbers without a fraction, as the services write times; nothing else has a shorter form.
        let text = Int64(exactly: number).map(String.init) ?? number.description
        out.append(contentsOf: text.utf8)
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    fileprivate static func write(_ text: String, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        let isPlain = text.withUTF8 { bytes in
            for byte in bytes where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                return false
            }
            out.append(contentsOf: bytes)
            return true
        }
        if isPlain {
            out.append(UInt8(ascii: "\""))
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case 0x20...: out.append(byte)
            case 8: out.append(contentsOf: "\\b".utf8)
            case 9: out.append(contentsOf: "\\t".utf8)
            case 10: out.append(contentsOf: "\\n".utf8)
            case 12: out.append(contentsOf: "\\f".utf8)
            case 13: out.append(contentsOf: "\\r".utf8)
            default:
                out.append(contentsOf: "\\u00".utf8)
                out.append(hexDigits[Int(byte >> 4)])
                out.append(hexDigits[Int(byte & 15)])
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

/// Turns values into a tree: times as epoch seconds with milliseconds, blobs in base 64, absent members left out.
final class JSONValueEncoder: Encoder {
    private let outer: JSONValueEncoder?
    private let key: (any CodingKey)?
    var codingPath: [any CodingKey] { (outer?.codingPath ?? []) + (key.map { [$0] } ?? []) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    fileprivate var content = Content.none

    /// What has been encoded so far. Nested containers stay open until the whole is taken, hence the references.
    fileprivate enum Content {
        case none
        case scalar(JSONValue)
        /// Each name once.
        case members([(name: String, node: Node)])
        case elements([Node])
    }

    fileprivate enum Node {
        case value(JSONValue)
        case open(JSONValueEncoder)

        var tree: JSONValue {
            switch self {
            case .value(let value): value
            case .open(let encoder): encoder.tree
            }
        }

        func write(into out: inout JSONText) {
            switch self {
            case .value(let value): JSONWriter.write(value, into: &out)
            case .open(let encoder): encoder.write(into: &out)
            }
        }
    }

    fileprivate init(_ key: (any CodingKey)?, in outer: JSONValueEncoder?) {
        self.key = key
        self.outer = outer
    }

    /// The text of a value, which needs no tree.
    static func text(_ value: some Encodable) throws -> JSONText {
        let encoder = JSONValueEncoder(nil, in: nil)
        try encoder.put(value)
        var out = JSONText()
        encoder.write(into: &out)
        return out
    }

    private func write(into out: inout JSONText) {
        switch content {
        case .none: out.plain.append(contentsOf: "{}".utf8)
        case .scalar(let value): JSONWriter.write(value, into: &out)
        case .members(let members):
            out.plain.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.name < $1.name }).enumerated() {
                if index > 0 { out.plain.append(UInt8(ascii: ",")) }
                JSONWriter.write(member.name, into: &out.plain)
                out.plain.append(UInt8(ascii: ":"))
                member.node.write(into: &out)
            }
            out.plain.append(UInt8(ascii: "}"))
        case .elements(let elements):
            out.plain.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.plain.append(UInt8(ascii: ",")) }
                element.write(into: &out)
            }
            out.plain.append(UInt8(ascii: "]"))
        }
    }

    /// The tree of a value.
    static func encode(_ value: some Encodable) throws -> JSONValue {
        let encoder = JSONValueEncoder(nil, in: nil)
        try encoder.put(value)
        return encoder.tree
    }

    fileprivate var tree: JSONValue {
        switch content {
        case .none: .object([:])
        case .scalar(let value): value
        case .members(let members):
            .object(Dictionary(members.lazy.map { ($0.name, $0.node.tree) }, uniquingKeysWith: { $1 }))
        case .elements(let elements): .array(elements.map(\.tree))
        }
    }

    /// The tree of a value whose type JSON has no form for or that has a form of its own; `nil` for all others.
    fileprivate static func leaf<T: Encodable>(_ value: T) -> JSONValue? {
        // The types are compared first: a cast that fails costs more than all the rest.
        if T.self == String.self, let text = value as? String { return .string(text) }
        if T.self == Data.self, let data = value as? Data { return .string(data.withUnsafeBytes { Base64.encode($0) }) }
        if T.self == SecretBlob.self, let blob = value as? SecretBlob { return .secret(blob) }
        if T.self == Date.self, let date = value as? Date {
            // From whole milliseconds, so that no binary fraction's tail is written.
            return .number((date.timeIntervalSince1970 * 1000).rounded() / 1000)
        }
        if T.self == JSONValue.self, let tree = value as? JSONValue { return tree }
        return nil
    }

    fileprivate func put(_ value: some Encodable) throws {
        if let leaf = Self.leaf(value) {
            content = .scalar(leaf)
        } else {
            try value.encode(to: self)
        }
    }

    fileprivate func add(_ node: Node, _ key: any CodingKey) {
        guard case .members(var members) = content else {
            content = .members([(key.stringValue, node)])
            return
        }
        content = .none  // So that the members are not copied.
        let name = key.stringValue
        if let index = members.firstIndex(where: { $0.name == name }) {
            members[index].node = node
        } else {
            members.append((name, node))
        }
        content = .members(members)
    }

    fileprivate func add(_ node: Node) {
        guard case .elements(var elements) = content else {
            content = .elements([node])
            return
        }
        content = .none
        elements.append(node)
        content = .elements(elements)
    }

    fileprivate func child(_ key: any CodingKey) -> JSONValueEncoder {
        let child = JSONValueEncoder(key, in: self)
        add(.open(child), key)
        return child
    }

    fileprivate func next() -> JSONValueEncoder {
        let child = JSONValueEncoder(nil, in: self)
        add(.open(child))
        return child
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .none = content { content = .members([]) }
        return KeyedEncodingContainer(MemberWriter(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .none = content { content = .elements([]) }
        return ElementWriter(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { ScalarWriter(encoder: self) }

    fileprivate func put(integer value: some BinaryInteger) throws {
        guard let integer = Int64(exactly: value) else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: codingPath, debugDescription: "the number has more than 64 bits"))
        }
        content = .scalar(.integer(integer))
    }

    fileprivate func put(floating value: Double) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: codingPath, debugDescription: "JSON has no such number"))
        }
        content = .scalar(.number(value))
    }
}

private struct MemberWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: JSONValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil(forKey key: Key) { encoder.add(.value(.null), key) }
    func encode(_ value: Bool, forKey key: Key) { encoder.add(.value(.bool(value)), key) }
    func encode(_ value: String, forKey key: Key) { encoder.add(.value(.string(value)), key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) {
        if let value { encoder.add(.value(.string(value)), key) }
    }
    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
        if let value { try encode(value, forKey: key) }
    }
    func encode(_ value: Double, forKey key: Key) throws { try encoder.child(key).put(floating: value) }
    func encode(_ value: Float, forKey key: Key) throws { try encoder.child(key).put(floating: Double(value)) }
    func encode(_ value: Int, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: Int8, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: Int16, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: Int32, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: Int64, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: UInt, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: UInt8, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: UInt16, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: UInt32, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: UInt64, forKey key: Key) throws { try encoder.child(key).put(integer: value) }
    func encode(_ value: some Encodable, forKey key: Key) throws {
        if let leaf = JSONValueEncoder.leaf(value) {
            encoder.add(.value(leaf), key)
        } else {
            try encoder.child(key).put(value)
        }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { encoder.child(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder.child(key).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { encoder }
    func superEncoder(forKey key: Key) -> any Encoder { encoder.child(key) }
}

private struct ElementWriter: UnkeyedEncodingContainer {
    let encoder: JSONValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { if case .elements(let elements) = encoder.content { elements.count } else { 0 } }

    func encodeNil() { encoder.add(.value(.null)) }
    func encode(_ value: some Encodable) throws {
        if let leaf = JSONValueEncoder.leaf(value) {
            encoder.add(.value(leaf))
        } else {
            try encoder.next().put(value)
        }
    }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder.next().container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder.next().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder.next() }
}

private struct ScalarWriter: SingleValueEncodingContainer {
    let encoder: JSONValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.content = .scalar(.null) }
    func encode(_ value: Bool) { encoder.content = .scalar(.bool(value)) }
    func encode(_ value: String) { encoder.content = .scalar(.string(value)) }
    func encode(_ value: Double) throws { try encoder.put(floating: value) }
    func encode(_ value: Float) throws { try encoder.put(floating: Double(value)) }
    func encode(_ value: Int) throws { try encoder.put(integer: value) }
    func encode(_ value: Int8) throws { try encoder.put(integer: value) }
    func encode(_ value: Int16) throws { try encoder.put(integer: value) }
    func encode(_ value: Int32) throws { try encoder.put(integer: value) }
    func encode(_ value: Int64) throws { try encoder.put(integer: value) }
    func encode(_ value: UInt) throws { try encoder.put(integer: value) }
    func encode(_ value: UInt8) throws { try encoder.put(integer: value) }
    func encode(_ value: UInt16) throws { try encoder.put(integer: value) }
    func encode(_ value: UInt32) throws { try encoder.put(integer: value) }
    func encode(_ value: UInt64) throws { try encoder.put(integer: value) }
    func encode(_ value: some Encodable) throws { try encoder.put(value) }
}
