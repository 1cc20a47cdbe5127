/// Writes what the two ends of a put say to each other: unsigned LEB128 integers, and bytes with their length in front.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func byte(_ value: UInt8) { bytes.append(value) }

    package mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func number(_ value: Int) { number(UInt64(value)) }

    package mutating func raw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    package mutating func string(_ value: [UInt8]) {
        number(value.count)
        bytes += value
    }
}

/// Says what is wrong with bytes that should be part of a put.
package struct PutFormatError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Reads what ``ByteWriter`` wrote.
package struct ByteCursor {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { position == bytes.count }

    package mutating func byte() throws(PutFormatError) -> UInt8 {
        guard position < bytes.count else { throw PutFormatError("the message ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    package mutating func number() throws(PutFormatError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 56, by: 7) {
            let next = try byte()
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
        }
        throw PutFormatError("a number is too large")
    }

    package mutating func count(limit: Int) throws(PutFormatError) -> Int {
        let value = try number()
        guard value <= UInt64(limit) else { throw PutFormatError("\(value) exceeds the limit of \(limit)") }
        return Int(value)
    }

    package mutating func raw(_ count: Int) throws(PutFormatError) -> [UInt8] {
        guard bytes.count - position >= count else { throw PutFormatError("the message ends early") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    package mutating func string(limit: Int) throws(PutFormatError) -> [UInt8] { try raw(try count(limit: limit)) }
}
