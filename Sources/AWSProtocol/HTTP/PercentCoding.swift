/// RFC 3986 percent-encoding, on bytes.
public enum PercentCoding {
    private static let hexDigits = Array("0123456789ABCDEF".utf8)

    /// Encodes everything but RFC 3986's unreserved characters, and `/` when told to keep it.
    public static func encode(_ bytes: some Sequence<UInt8>, keepingSlash: Bool = false) -> String {
        let digits = hexDigits
        var out: [UInt8] = []
        for byte in bytes {
            if isUnreserved(byte) || (keepingSlash && byte == UInt8(ascii: "/")) {
                out.append(byte)
            } else {
                out.append(UInt8(ascii: "%"))
                out.append(digits[Int(byte >> 4)])
                out.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Encodes a string's UTF-8.
    public static func encode(_ text: String, keepingSlash: Bool = false) -> String {
        encode(text.utf8, keepingSlash: keepingSlash)
    }

    /// Decodes `%XX`; anything else, including a `%` without two hexadecimal digits, stays as it is.
    public static func decodeBytes(_ text: some StringProtocol) -> [UInt8] {
        let input = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(input.count)
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count, let high = hexValue(input[index + 1]),
                let low = hexValue(input[index + 2])
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(input[index])
                index += 1
            }
        }
        return out
    }

    /// Decodes `%XX` into text; bytes that are not UTF-8 become U+FFFD.
    public static func decode(_ text: some StringProtocol) -> String {
        String(decoding: decodeBytes(text), as: UTF8.self)
    }

    /// Splits a query string or a form into its still encoded pairs. Empty pieces are dropped.
    public static func pairs(_ query: String) -> [(name: Substring, value: Substring)] {
        query.split(separator: "&").map { piece in
            guard let equals = piece.firstIndex(of: "=") else { return (piece, "") }
            return (piece[..<equals], piece[piece.index(after: equals)...])
        }
    }

    /// Decodes an `application/x-www-form-urlencoded` body, where `+` is a space.
    public static func formItems(_ form: String) -> [(name: String, value: String)] {
        pairs(form).map { pair in
            (
                decode(pair.name.replacing("+", with: " ")),
                decode(pair.value.replacing("+", with: " "))
            )
        }
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
