/// An object of JSON (RFC 8259) that is written member by member and comes out with its members sorted.
struct JSONMembers {
    private var members: [(name: [UInt8], value: [UInt8])] = []

    /// Adds a text; nil is left out.
    mutating func add(_ name: String, _ text: String?) {
        guard let text else { return }
        members.append((Array(name.utf8), Self.quoted(text.utf8)))
    }

    /// Adds a number; nil is left out.
    mutating func add(_ name: String, _ number: (some BinaryInteger)?) {
        guard let number else { return }
        members.append((Array(name.utf8), Array(String(number).utf8)))
    }

    /// Adds an object.
    mutating func add(_ name: String, _ fill: (inout JSONMembers) -> Void) {
        var inner = JSONMembers()
        fill(&inner)
        members.append((Array(name.utf8), inner.encoded))
    }

    /// The object as UTF-8.
    var encoded: [UInt8] {
        var bytes = [UInt8(ascii: "{")]
        for member in members.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            bytes += Self.quoted(member.name)
            bytes.append(UInt8(ascii: ":"))
            bytes += member.value
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func quoted(_ text: some Sequence<UInt8>) -> [UInt8] {
        var bytes = [UInt8(ascii: "\"")]
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }
}
