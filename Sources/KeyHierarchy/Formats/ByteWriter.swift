/// Builds the binary formats of this module: big-endian integers and length-prefixed fields.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func append(_ text: StaticString) { bytes.append(contentsOf: text.description.utf8) }
    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
    mutating func append(_ value: UInt8) { bytes.append(value) }
    mutating func append(_ value: UInt16) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }
    mutating func append(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }
    mutating func append(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }

    /// LP(x): the length as 32 bits, then the bytes.
    mutating func appendPrefixed(_ field: some Collection<UInt8>) {
        append(UInt32(field.count))
        append(field)
    }
}

/// Takes the same formats apart. Every read checks the remaining length and throws; it never traps on input.
struct ByteReader {
    private var rest: ArraySlice<UInt8>
    private let what: String

    /// - Parameter what: the format's name, for messages.
    init(_ bytes: [UInt8], _ what: String) {
        rest = bytes[...]
        self.what = what
    }

    var remaining: Int { rest.count }

    mutating func take(_ count: Int) throws(KeyFormatError) -> [UInt8] {
        guard count >= 0, count <= rest.count else { throw KeyFormatError(what, "it is truncated") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func expect(_ magic: StaticString) throws(KeyFormatError) {
        guard try take(magic.utf8CodeUnitCount) == Array(magic.description.utf8) else {
            throw KeyFormatError(what, "it does not start with \(magic)")
        }
    }

    mutating func expect(_ value: UInt8, _ field: String) throws(KeyFormatError) {
        let found = try byte()
        guard found == value else { throw KeyFormatError(what, "its \(field) is \(found), \(value) is known") }
    }

    mutating func byte() throws(KeyFormatError) -> UInt8 { try take(1)[0] }
    mutating func uint16() throws(KeyFormatError) -> UInt16 { try take(2).reduce(0) { $0 << 8 | UInt16($1) } }
    mutating func uint32() throws(KeyFormatError) -> UInt32 { try take(4).reduce(0) { $0 << 8 | UInt32($1) } }
    mutating func uint64() throws(KeyFormatError) -> UInt64 { try take(8).reduce(0) { $0 << 8 | UInt64($1) } }

    mutating func prefixed(max: Int = 1 << 20) throws(KeyFormatError) -> [UInt8] {
        let count = try uint32()
        guard count <= max else { throw KeyFormatError(what, "a field of \(count) bytes is too long") }
        return try take(Int(count))
    }

    func end() throws(KeyFormatError) {
        guard rest.isEmpty else { throw KeyFormatError(what, "\(rest.count) bytes follow its end") }
    }
}

/// A sealed thing does not have the shape of its format, or does not open.
public struct KeyFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The format, for example `CFSE`.
    public let format: String
    /// What is wrong with it.
    public let reason: String

    init(_ format: String, _ reason: String) {
        self.format = format
        self.reason = reason
    }

    /// A sentence for people.
    public var description: String { "\(format): \(reason)" }
}
