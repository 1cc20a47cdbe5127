import HTTPTypes

/// The canonical form of a request, which SigV4 hashes (AWS General Reference, "Create a signed AWS API request").
///
/// Bytes, not text: every request has one, and nobody reads it unless its signature is wrong.
enum CanonicalRequest {
    /// Every canonical path that a correct client may have signed for the path received.
    ///
    /// S3 encodes each segment once and normalises nothing; some of its clients sign the path exactly as they send it.
    /// The others normalise `//`, `.` and `..` and encode what is already encoded once more.
    static func paths(_ path: String, singleEncoding: Bool) -> [String] {
        if path == "/" { return [path] }
        if singleEncoding {
            let encoded = PercentCoding.encode(PercentCoding.decodeBytes(path), keepingSlash: true)
            return encoded == path ? [path] : [encoded, path]
        }
        return [PercentCoding.encode(normalise(path), keepingSlash: true)]
    }

    /// RFC 3986 §5.2.4 on segments, with empty ones removed and a trailing slash kept.
    static func normalise(_ path: String) -> String {
        var kept: [Substring] = []
        for segment in path.split(separator: "/") {
            if segment == "." { continue }
            if segment == ".." {
                kept = kept.dropLast()
            } else {
                kept.append(segment)
            }
        }
        if kept.isEmpty { return "/" }
        return "/" + kept.joined(separator: "/") + (path.hasSuffix("/") ? "/" : "")
    }

    /// The canonical query string: decoded, encoded again, sorted; without the signature. A literal `+` is a plus sign to
    /// most clients and a space to some, so a query with one has two canonical forms.
    static func queries(_ query: String) -> [String] {
        if query.isEmpty { return [query] }
        let literal = canonicalQuery(query, plusIsSpace: false)
        return query.contains("+") ? [literal, canonicalQuery(query, plusIsSpace: true)] : [literal]
    }

    private static func canonicalQuery(_ query: String, plusIsSpace: Bool) -> String {
        func recode(_ text: Substring) -> String {
            PercentCoding.encode(PercentCoding.decodeBytes(plusIsSpace ? text.replacing("+", with: " ") : text))
        }
        return PercentCoding.pairs(query)
            .map { (name: recode($0.name), value: recode($0.value)) }
            .filter { $0.name != "X-Amz-Signature" }
            .sorted { left, right in
                // Encoded text is ASCII, so comparing UTF-8 bytes is the order AWS asks for.
                left.name == right.name
                    ? left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
                    : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
            }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
    }

    /// The canonical header lines, each ended by a newline. `names` are sorted.
    static func headerLines(
        _ request: ServiceRequest, signed names: [String]
    ) throws(AuthenticationFailure) -> [UInt8] {
        var lines: [UInt8] = []
        lines.reserveCapacity(512)
        for name in names {
            lines.append(contentsOf: name.utf8)
            lines.append(UInt8(ascii: ":"))
            if name == "host" {
                lines.append(contentsOf: request.authority.utf8)
            } else {
                var isFirst = true
                for field in request.headers where field.name.canonicalName == name {
                    if !isFirst { lines.append(UInt8(ascii: ",")) }
                    isFirst = false
                    appendCollapsed(field.value, to: &lines)
                }
                if isFirst { throw .missingSignedHeader(name) }
            }
            lines.append(newline)
        }
        return lines
    }

    /// Trims, and turns runs of blanks into one space.
    static func collapse(_ value: String) -> String {
        var bytes: [UInt8] = []
        appendCollapsed(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func appendCollapsed(_ value: String, to bytes: inout [UInt8]) {
        var value = value
        value.withUTF8 { text in
            var hasText = false
            var hasBlank = false
            for byte in text {
                if byte == 0x20 || byte == 0x09 {
                    hasBlank = hasText
                } else {
                    if hasBlank { bytes.append(0x20) }
                    (hasText, hasBlank) = (true, false)
                    bytes.append(byte)
                }
            }
        }
    }

    /// Puts the parts together. `signedHeaders` are sorted.
    static func bytes(
        method: String, path: String, query: String, headerLines: [UInt8], signedHeaders: [String], payload: String
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + path.utf8.count + query.utf8.count + headerLines.count)
        for part in [method, path, query] {
            bytes.append(contentsOf: part.utf8)
            bytes.append(newline)
        }
        bytes.append(contentsOf: headerLines)
        bytes.append(newline)
        for (index, name) in signedHeaders.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes.append(contentsOf: name.utf8)
        }
        bytes.append(newline)
        bytes.append(contentsOf: payload.utf8)
        return bytes
    }

    private static let newline = UInt8(ascii: "\n")
}
