import ArtifactStore

/// A version, or a path in one, as people write it: `PIPELINE[/ARTIFACT]@WHICH[:PATH[!INNER]]`; of what another account
/// shared `share:ID` or `ACCOUNT/PIPELINE/ARTIFACT@WHICH`.
package struct ReferenceText: Sendable, Hashable {
    /// The account that the version was shared by, when the reference names one.
    package let account: String?
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

    /// The share through which the version is read, for `share:ID[:PATH[!INNER]]`.
    package let share: String?

    /// Reads a reference; the error says what it lacks.
    package init(_ text: String) throws(ReferenceError) {
        if text.hasPrefix("share:") {
            let rest = text.dropFirst("share:".count)
            let colon = rest.firstIndex(of: ":")
            let id = String(colon.map { rest[..<$0] } ?? rest)
            guard !id.isEmpty else { throw ReferenceError("\(text) names no share: write share:ID[:PATH]") }
            (account, repository, artifact, which, share) = (nil, "", nil, id, id)
            (path, inner) = try ReferenceText.place(colon.map { rest[rest.index(after: $0)...] } ?? "", of: text)
            return
        }
        share = nil
        guard let at = text.firstIndex(of: "@") else {
            throw ReferenceError("\(text) names no version: write PIPELINE[/ARTIFACT]@WHICH, such as web/app@latest")
        }
        let rest = text[text.index(after: at)...]
        let (owner, name) = VersionReference.account(in: String(text[..<at]))
        account = owner
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
        (path, inner) = try ReferenceText.place(colon.map { rest[rest.index(after: $0)...] } ?? "", of: text)
    }

    /// A path and, after `!`, a path in the archive that it names.
    private static func place(_ place: Substring, of text: String) throws(ReferenceError) -> (String?, String?) {
        let mark = place.firstIndex(of: "!")
        let outer = trimmed(mark.map { place[..<$0] } ?? place)
        let inner = mark.map { trimmed(place[place.index(after: $0)...]) }
        guard inner == nil || !outer.isEmpty else {
            throw ReferenceError("\(text): before ! comes the path of an archive")
        }
        return (outer.isEmpty ? nil : outer, inner)
    }

    /// The path with the one inside it, as the store takes it.
    package var place: String? { path.map { path in inner.map { "\(path)!\($0)" } ?? path } }

    /// Whether it names what an account other than this one owns.
    package func isOfAnother(than account: String) -> Bool { self.account.map { $0 != account } ?? false }

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
