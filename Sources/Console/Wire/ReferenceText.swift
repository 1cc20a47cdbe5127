/// A version, or a path in one, as people write it: `PIPELINE[/ARTIFACT]@WHICH[:PATH[!INNER]]`.
package struct ReferenceText: Sendable, Hashable {
    /// The pipeline, or whatever else groups artifacts.
    package let repository: String
    /// The artifact; nil when the repository has only one that can be meant.
    package let artifact: String?
    /// Which version: an execution number (`413`, attempt `413.2`), `latest`, an execution or version id, a stage, a tag,
    /// or `sha256:…`.
    package let which: String
    /// A path in the version.
    package let path: String?
    /// A path in the archive that `path` names; empty for the archive's top.
    package let inner: String?

    /// Reads a reference; the error says what it lacks.
    package init(_ text: String) throws(ReferenceError) {
        guard let at = text.firstIndex(of: "@") else {
            throw ReferenceError("\(text) names no version: write PIPELINE[/ARTIFACT]@WHICH, such as web/app@latest")
        }
        let (name, rest) = (text[..<at], text[text.index(after: at)...])
        let names = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard !names.contains("") else {
            throw ReferenceError("\(text) is not of the form PIPELINE[/ARTIFACT]@WHICH[:PATH]")
        }
        repository = names[0]
        artifact = names.count > 1 ? names[1] : nil
        let isDigest = rest.hasPrefix("sha256:")
        let searched = isDigest ? rest.dropFirst("sha256:".count) : rest
        let colon = searched.firstIndex(of: ":")
        which = String(colon.map { rest[..<$0] } ?? rest)
        guard !which.isEmpty, !isDigest || ReferenceText.isDigits(which.dropFirst("sha256:".count)) else {
            throw ReferenceError("\(text): after @ comes a number, latest, an id, a stage, a tag or sha256:DIGITS")
        }
        let place = colon.map { rest[rest.index(after: $0)...] } ?? ""
        let mark = place.firstIndex(of: "!")
        let outer = ReferenceText.trimmed(mark.map { place[..<$0] } ?? place)
        path = outer.isEmpty ? nil : outer
        inner = mark.map { ReferenceText.trimmed(place[place.index(after: $0)...]) }
        guard inner == nil || path != nil else {
            throw ReferenceError("\(text): before ! comes the path of an archive")
        }
    }

    private static func isDigits(_ text: Substring) -> Bool {
        (8...64).contains(text.utf8.count) && text.allSatisfy { $0.isHexDigit && $0.isASCII }
    }

    private static func trimmed(_ path: Substring) -> String {
        var path = path
        while path.hasPrefix("/") { path = path.dropFirst() }
        while path.hasSuffix("/") { path = path.dropLast() }
        return String(path)
    }
}

/// A reference that cannot be read.
package struct ReferenceError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
