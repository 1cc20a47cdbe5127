/// Writes small XML documents: elements, one namespace on the root, escaped text.
public struct XMLWriter: Sendable {
    private var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

    /// Makes a writer that has written the declaration.
    public init() {}

    /// What has been written so far.
    public var document: String { text }

    /// Writes `<name>text</name>`.
    public mutating func element(_ name: String, _ content: String) {
        text += "<\(name)>"
        text += Self.escape(content)
        text += "</\(name)>"
    }

    /// Writes the element when there is a value.
    public mutating func element(_ name: String, ifPresent content: String?) {
        if let content { element(name, content) }
    }

    /// Writes an element around what `content` writes.
    public mutating func element<Failure: Error>(
        _ name: String, namespace: String? = nil, _ content: (inout XMLWriter) throws(Failure) -> Void
    ) throws(Failure) {
        text += "<\(name)"
        if let namespace { text += " xmlns=\"\(Self.escape(namespace))\"" }
        text += ">"
        try content(&self)
        text += "</\(name)>"
    }

    /// Replaces what XML 1.0 gives a meaning to; control characters that it cannot carry become U+FFFD.
    public static func escape(_ content: String) -> String {
        // Most text of a long listing has nothing to replace.
        let isPlain = content.utf8.allSatisfy { byte in
            switch byte {
            case 0x00...0x1F, UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), 0xEF:
                false
            default: true
            }
        }
        if isPlain { return content }
        var out = ""
        out.reserveCapacity(content.utf8.count)
        for scalar in content.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "\r": out += "&#13;"
            case "\t", "\n": out.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": out.unicodeScalars.append("\u{FFFD}")
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
