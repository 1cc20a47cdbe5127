/// A path pattern of a buildspec: `*` and `?` stay within a component, `**` crosses components, `[…]` is a set.
///
/// Names that begin with a dot match like any other, as in CodeBuild.
struct FileGlob: Sendable {
    private enum Part: Sendable, Equatable {
        case anyDirectories
        case component([Character])
    }

    private let parts: [Part]
    /// Whether the pattern is a plain path.
    let isLiteral: Bool
    /// The pattern without `./` and doubled slashes.
    let text: String

    init(_ pattern: String) {
        var components = pattern.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        components.removeAll { $0 == "." }
        text = components.joined(separator: "/")
        isLiteral = !text.contains { "*?[".contains($0) }
        parts = components.map { $0 == "**" ? .anyDirectories : .component(Array($0)) }
    }

    /// Whether the relative path `path` matches as a whole.
    func matches(_ path: String) -> Bool {
        let components = path.split(separator: "/").map(Array.init)
        return Self.match(parts[...], components[...])
    }

    /// Whether something below the directory `path` could match: spares walking what cannot.
    func canMatchBelow(_ path: String) -> Bool {
        var components = path.split(separator: "/").map(Array.init)[...]
        for part in parts {
            guard let component = components.first else { return true }
            switch part {
            case .anyDirectories: return true
            case .component(let pattern):
                guard Self.match(pattern[...], component[...]) else { return false }
            }
            components = components.dropFirst()
        }
        return components.isEmpty
    }

    /// Greedy with one point of return for the last `**`, so that time is bounded by the product of the lengths.
    private static func match(_ pattern: ArraySlice<Part>, _ path: ArraySlice<[Character]>) -> Bool {
        var pattern = pattern
        var path = path
        var retry: (pattern: ArraySlice<Part>, path: ArraySlice<[Character]>)?
        while true {
            if pattern.first == .anyDirectories {
                pattern = pattern.dropFirst()
                // A trailing `**` is everything below, and there must be something.
                if pattern.isEmpty { return !path.isEmpty }
                retry = (pattern, path)
                continue
            }
            if case .component(let wanted)? = pattern.first, let name = path.first, match(wanted[...], name[...]) {
                pattern = pattern.dropFirst()
                path = path.dropFirst()
                if pattern.isEmpty, path.isEmpty { return true }
                continue
            }
            if pattern.isEmpty, path.isEmpty { return true }
            guard var again = retry, !again.path.isEmpty else { return false }
            again.path = again.path.dropFirst()
            retry = again
            pattern = again.pattern
            path = again.path
        }
    }

    /// One component, with the same method for `*`.
    private static func match(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
        var pattern = pattern
        var name = name
        var retry: (pattern: ArraySlice<Character>, name: ArraySlice<Character>)?
        while true {
            if pattern.first == "*" {
                pattern = pattern.drop { $0 == "*" }
                if pattern.isEmpty { return true }
                retry = (pattern, name)
                continue
            }
            if let character = name.first, let rest = consume(character, pattern) {
                pattern = rest
                name = name.dropFirst()
                continue
            }
            if pattern.isEmpty, name.isEmpty { return true }
            guard var again = retry, !again.name.isEmpty else { return false }
            again.name = again.name.dropFirst()
            retry = again
            pattern = again.pattern
            name = again.name
        }
    }

    /// What is left of `pattern` when its first element takes `character`; nil when it does not.
    private static func consume(_ character: Character, _ pattern: ArraySlice<Character>) -> ArraySlice<Character>? {
        guard let first = pattern.first else { return nil }
        switch first {
        case "?": return pattern.dropFirst()
        case "[":
            guard let (set, rest) = bracket(pattern.dropFirst()) else {
                return character == "[" ? pattern.dropFirst() : nil
            }
            return set(character) ? rest : nil
        case "\\":
            let literal = pattern.dropFirst()
            return literal.first == character ? literal.dropFirst() : nil
        default: return first == character ? pattern.dropFirst() : nil
        }
    }

    private static func bracket(
        _ pattern: ArraySlice<Character>
    ) -> (set: (Character) -> Bool, rest: ArraySlice<Character>)? {
        var body = pattern
        let isNegated = body.first == "!" || body.first == "^"
        if isNegated { body = body.dropFirst() }
        guard let end = body.dropFirst().firstIndex(of: "]") else { return nil }
        let members = Array(body[..<end])
        let set: (Character) -> Bool = { character in
            var index = 0
            var found = false
            while index < members.count {
                if index + 2 < members.count, members[index + 1] == "-", members[index] <= members[index + 2] {
                    found = found || (members[index]...members[index + 2]).contains(character)
                    index += 3
                } else {
                    found = found || members[index] == character
                    index += 1
                }
            }
            return found != isNegated
        }
        return (set, body[body.index(after: end)...])
    }
}
