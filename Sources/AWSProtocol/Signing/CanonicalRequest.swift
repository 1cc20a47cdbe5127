import Foundation
import HTTPTypes

/// The canonical form of a request, which SigV4 hashes (AWS General Reference, "Create a signed AWS API request").
enum CanonicalRequest {
    /// Every canonical path that a correct client may have signed for the path received.
    ///
    /// S3 encodes each segment once and normalises nothing; some of its clients sign the path exactly as they send it.
    /// The others normalise `//`, `.` and `..` and encode what is already encoded once more.
    static func paths(_ path: String, singleEncoding: Bool) -> [String] {
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

    /// The canonical header lines, each ended by a newline, in the order of their names.
    static func headerLines(
        _ request: ServiceRequest, signed names: [String]
    ) throws(AuthenticationFailure) -> String {
        var lines = ""
        for name in names.sorted() {
            if name == "host" {
                lines += "host:\(request.authority)\n"
                continue
            }
            guard let field = HTTPField.Name(name), request.headers.contains(field) else {
                throw .missingSignedHeader(name)
            }
            let values = request.headers[values: field].map(collapse)
            lines += "\(name):\(values.joined(separator: ","))\n"
        }
        return lines
    }

    /// Trims, and turns runs of blanks into one space.
    static func collapse(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }

    /// Puts the parts together.
    static func text(
        method: String, path: String, query: String, headerLines: String, signedHeaders: [String], payload: String
    ) -> String {
        [method, path, query, headerLines, signedHeaders.sorted().joined(separator: ";"), payload]
            .joined(separator: "\n")
    }
}
