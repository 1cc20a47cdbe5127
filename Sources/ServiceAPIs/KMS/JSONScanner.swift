/// Looks at a JSON document before it is decoded: refuses deep nesting and repeated member names, which decoders accept
/// in ways that differ. An encryption context must mean one thing only.
enum JSONScanner {
    static let depthMax = 16

    enum Flaw: Error, Equatable {
        case tooDeep
        case duplicateMember(String)
    }

    /// Throws the first flaw. Malformed documents pass: the decoder says what is wrong with them.
    static func check(_ bytes: [UInt8]) throws(Flaw) {
        var stack: [Set<[UInt8]>?] = []
        var expectsName = false
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard stack.count < depthMax else { throw .tooDeep }
                expectsName = bytes[index] == UInt8(ascii: "{")
                stack.append(expectsName ? [] : nil)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = stack.popLast()
                expectsName = false
            case UInt8(ascii: ","):
                expectsName = stack.last.map { $0 != nil } ?? false
            case UInt8(ascii: "\""):
                let name = string(bytes, &index)
                if expectsName, let last = stack.indices.last {
                    guard stack[last]?.insert(name).inserted ?? true else {
                        throw .duplicateMember(String(decoding: name, as: UTF8.self))
                    }
                    expectsName = false
                }
            default: break
            }
            index += 1
        }
    }

    /// The bytes of the string that starts at `index`, escapes resolved far enough to compare; leaves `index` at its end.
    private static func string(_ bytes: [UInt8], _ index: inout Int) -> [UInt8] {
        var result: [UInt8] = []
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count {
                index += 1
                if bytes[index] == UInt8(ascii: "u"), index + 4 < bytes.count,
                    let unit = UInt32(String(decoding: bytes[(index + 1)...(index + 4)], as: UTF8.self), radix: 16)
                {
                    // A surrogate half keeps its number: enough to tell names apart.
                    result.append(
                        contentsOf: Unicode.Scalar(unit).map { Array(String($0).utf8) } ?? [
                            0, UInt8(unit >> 8), UInt8(unit & 255),
                        ])
                    index += 5
                    continue
                }
                result.append(escapes[bytes[index]] ?? bytes[index])
            } else {
                result.append(bytes[index])
            }
            index += 1
        }
        return result
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12,
    ]
}
