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

/// Writes the same formats into memory of known size, for what is written on every call.
struct ByteCursor {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// What has been written.
    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ byte: UInt8) {
        memory[count] = byte
        count += 1
    }

    /// LP(x): the length as 32 bits, then the bytes.
    mutating func appendPrefixed(_ field: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(field.count).bigEndian) { append($0) }
        append(field)
    }

    mutating func appendPrefixed(_ field: [UInt8]) { field.withUnsafeBytes { appendPrefixed($0) } }
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
