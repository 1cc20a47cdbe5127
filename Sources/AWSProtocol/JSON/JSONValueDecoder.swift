import Cryptography
import Foundation

/// Gives a parsed document a type. Blobs are base 64, times epoch seconds or ISO 8601 text; a null member counts as absent
/// where the type lets it be.
struct JSONValueDecoder: Decoder {
    let value: JSONValue
    fileprivate let place: DecodingPlace?
    var codingPath: [any CodingKey] { DecodingPlace.path(place) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    static func decode<T: Decodable>(_ type: T.Type, from value: JSONValue) throws -> T {
        try JSONValueDecoder(value: value, place: nil).decode(type)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = value else { throw mismatch([String: JSONValue].self) }
        return KeyedDecodingContainer(Members(members: members, place: place))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch([JSONValue].self) }
        return Elements(elements: elements, place: place)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoder: self) }

    fileprivate func mismatch(_ type: Any.Type) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "found \(value.kindName)"))
    }

    /// Any type; those that JSON has no form for first.
    fileprivate func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if T.self == String.self, case .string(let text) = value { return try cast(text) }
        if T.self == JSONValue.self { return try cast(value) }
        if T.self == Data.self { return try cast(try blob()) }
        if T.self == SecretBlob.self { return try cast(try secret()) }
        if T.self == Date.self { return try cast(try time()) }
        if T.self == [String: String].self, case .object(let members) = value { return try cast(try texts(members)) }
        return try T(from: self)
    }

    /// What has been decoded, as the type that was asked for, which the caller has compared.
    private func cast<T>(_ found: Any) throws -> T {
        guard let result = found as? T else { throw mismatch(T.self) }
        return result
    }

    private func texts(_ members: [String: JSONValue]) throws -> [String: String] {
        try members.mapValues { member in
            guard case .string(let text) = member else { throw mismatch([String: String].self) }
            return text
        }
    }

    private func blob() throws -> Data {
        guard case .string(let text) = value, let bytes = Base64.decode(text) else { throw mismatch(Data.self) }
        return Data(bytes)
    }

    private func secret() throws -> SecretBlob {
        if case .secret(let blob) = value { return blob }
        guard case .string(var text) = value,
            let bytes = text.withUTF8({ Base64.decodeSecret(UnsafeRawBufferPointer($0)) })
        else { throw mismatch(SecretBlob.self) }
        return SecretBlob(bytes)
    }

    private func time() throws -> Date {
        switch value {
        case .integer(let seconds): return Date(timeIntervalSince1970: Double(seconds))
        case .number(let seconds): return Date(timeIntervalSince1970: seconds)
        case .string(let text):
            guard let date = try? Date(text, strategy: .iso8601) else { throw mismatch(Date.self) }
            return date
        default: throw mismatch(Date.self)
        }
    }

    fileprivate func text() throws -> String {
        guard case .string(let text) = value else { throw mismatch(String.self) }
        return text
    }

    fileprivate func flag() throws -> Bool {
        guard case .bool(let flag) = value else { throw mismatch(Bool.self) }
        return flag
    }

    fileprivate func integer<I: FixedWidthInteger>() throws -> I {
        guard case .integer(let integer) = value, let exact = I(exactly: integer) else { throw mismatch(I.self) }
        return exact
    }

    fileprivate func floating() throws -> Double {
        switch value {
        case .integer(let integer): return Double(integer)
        case .number(let number): return number
        default: throw mismatch(Double.self)
        }
    }
}

/// Where a value stands. The path is spelled out only for errors, since most documents have none.
private final class DecodingPlace {
    let key: any CodingKey
    let outer: DecodingPlace?

    init(_ key: any CodingKey, in outer: DecodingPlace?) {
        self.key = key
        self.outer = outer
    }

    static func path(_ place: DecodingPlace?) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var next = place
        while let place = next {
            path.append(place.key)
            next = place.outer
        }
        return path.reversed()
    }
}

/// A place in a list.
private struct Place: CodingKey {
    let intValue: Int?
    var stringValue: String { intValue.map(String.init) ?? "" }
    init(_ index: Int) { intValue = index }
    init?(intValue: Int) { self.intValue = intValue }
    init?(stringValue: String) { nil }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: JSONValue]
    let place: DecodingPlace?
    var codingPath: [any CodingKey] { DecodingPlace.path(place) }
    var allKeys: [Key] { members.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

    private func inner(_ key: Key) throws -> JSONValueDecoder {
        guard let value = members[key.stringValue] else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath + [key], debugDescription: "absent"))
        }
        return decoder(value, key)
    }

    private func decoder(_ value: JSONValue, _ key: Key) -> JSONValueDecoder {
        JSONValueDecoder(value: value, place: DecodingPlace(key, in: place))
    }

    // What most members are is looked up once, and needs no decoder of its own.

    /// The member, unless it is absent or null.
    private func present(_ key: Key) -> JSONValue? {
        guard let value = members[key.stringValue], !value.isNull else { return nil }
        return value
    }

    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        guard let value = present(key) else { return nil }
        if case .string(let text) = value { return text }
        return try decoder(value, key).text()
    }

    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        guard let value = present(key) else { return nil }
        return try decoder(value, key).integer()
    }

    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        guard let value = present(key) else { return nil }
        if case .bool(let flag) = value { return flag }
        return try decoder(value, key).flag()
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        guard let value = present(key) else { return nil }
        return try decoder(value, key).decode(type)
    }

    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        if case .string(let text)? = members[key.stringValue] { return text }
        return try inner(key).text()
    }

    func decodeNil(forKey key: Key) throws -> Bool { members[key.stringValue]?.isNull ?? false }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try inner(key).flag() }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try inner(key).floating() }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try inner(key).floating()) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try inner(key).integer() }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try inner(key).integer() }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try inner(key).integer() }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try inner(key).integer() }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try inner(key).integer() }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try inner(key).integer() }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try inner(key).integer() }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try inner(key).integer() }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try inner(key).integer() }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try inner(key).integer() }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try inner(key).decode(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try inner(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try inner(key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder { JSONValueDecoder(value: .object(members), place: place) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try inner(key) }
}

private struct Elements: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let place: DecodingPlace?
    var codingPath: [any CodingKey] { DecodingPlace.path(place) }
    var currentIndex = 0
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    init(elements: [JSONValue], place: DecodingPlace?) {
        self.elements = elements
        self.place = place
    }

    private mutating func inner() throws -> JSONValueDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                JSONValue.self, .init(codingPath: codingPath, debugDescription: "the list ends before"))
        }
        defer { currentIndex += 1 }
        return JSONValueDecoder(
            value: elements[currentIndex], place: DecodingPlace(Place(currentIndex), in: place))
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try inner().decode(type) }
    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try inner().container(keyedBy: type) }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try inner().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try inner() }
}

private struct Single: SingleValueDecodingContainer {
    let decoder: JSONValueDecoder
    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try decoder.flag() }
    func decode(_ type: String.Type) throws -> String { try decoder.text() }
    func decode(_ type: Double.Type) throws -> Double { try decoder.floating() }
    func decode(_ type: Float.Type) throws -> Float { Float(try decoder.floating()) }
    func decode(_ type: Int.Type) throws -> Int { try decoder.integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try decoder.integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try decoder.integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try decoder.integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try decoder.integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try decoder.integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try decoder.integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try decoder.integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try decoder.integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try decoder.integer() }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try T(from: decoder) }
}
