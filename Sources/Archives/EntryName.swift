/// A member's name, checked for use as a relative path. Raw bytes are kept: names need not be UTF-8.
public struct EntryName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The path without leading `./` and without a trailing slash; components are separated by `/`.
    public let bytes: [UInt8]
    /// Whether the archived name ended in a slash, which in zip and tar says "directory".
    public let hadTrailingSlash: Bool

    /// Accepts a name that stays inside the directory it is unpacked into.
    ///
    /// Refused are: empty names, absolute paths, NUL, `..`, and empty or `.` components after the first; unless the archive is
    /// of an own tree, also drive letters and backslashes, which would be paths elsewhere. Leading `./`, as `tar` writes
    /// it, is dropped.
    public init(
        checking raw: some Collection<UInt8>, longest: Int = 4_096, from origin: ArchiveOrigin = .anywhere
    ) throws(ArchiveError) {
        guard raw.count <= longest else {
            throw .limit(.nameBytes, member: nil, value: Int64(raw.count), allowed: Int64(longest))
        }
        var path = Array(raw)[...]
        while path.starts(with: [UInt8(ascii: "."), UInt8(ascii: "/")]) { path = path.dropFirst(2) }
        hadTrailingSlash = path.last == UInt8(ascii: "/") || (path.isEmpty && !raw.isEmpty)
        if path.last == UInt8(ascii: "/") && path.count > 1 { path = path.dropLast() }
        if path.elementsEqual([UInt8(ascii: ".")]) { path = [] }
        bytes = Array(path)
        let elsewhere = origin == .anywhere ? Self.problemElsewhere(of: bytes) : nil
        if let problem = Self.problem(of: bytes, wasEmpty: raw.isEmpty) ?? elsewhere {
            throw .unsafeName(name: String(decoding: raw, as: UTF8.self), reason: problem)
        }
    }

    /// Accepts only names that are the paths they stand for. Makes nothing of those that are.
    static func checkCanonical(_ path: [UInt8], longest: Int) throws(ArchiveError) {
        if path.count <= longest, problem(of: path, wasEmpty: path.isEmpty) == nil { return }
        let name = try EntryName(checking: path, longest: longest, from: .ownTree)
        throw .unsafeName(name: String(decoding: path, as: UTF8.self), reason: "it stands for '\(name)'")
    }

    private static func problem(of path: [UInt8], wasEmpty: Bool) -> String? {
        if wasEmpty { return "it is empty" }
        if path.first == UInt8(ascii: "/") { return "it is an absolute path" }
        var start = 0
        for (index, byte) in path.enumerated() {
            switch byte {
            case 0: return "it contains a NUL byte"
            case UInt8(ascii: "/"):
                if let problem = problem(ofComponent: path[start..<index]) { return problem }
                start = index + 1
            default: break
            }
        }
        return path.isEmpty ? nil : problem(ofComponent: path[start...])
    }

    /// What makes a fine name here a path to somewhere else on other systems.
    private static func problemElsewhere(of path: [UInt8]) -> String? {
        if path.contains(UInt8(ascii: "\\")) { return "it contains a backslash" }
        if path.count > 1, path[1] == UInt8(ascii: ":"), path[0] | 0x20 >= 0x61, path[0] | 0x20 <= 0x7A {
            return "it starts with a drive letter"
        }
        return nil
    }

    private static func problem(ofComponent component: ArraySlice<UInt8>) -> String? {
        let dot = UInt8(ascii: ".")
        if component.isEmpty { return "it contains an empty component" }
        if component.count == 1 && component.first == dot { return "it contains a '.' component" }
        if component.count == 2 && component.allSatisfy({ $0 == dot }) { return "it contains a '..' component" }
        return nil
    }

    /// The path's components.
    public var components: [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "/"))
    }

    /// The name as text, with invalid UTF-8 repaired.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Order of a tree walk: bytewise, with `/` before every other byte, so that a directory is followed by what it
    /// holds.
    public static func < (left: EntryName, right: EntryName) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes) { first, second in
            let slash = UInt8(ascii: "/")
            if first == slash { return second != slash }
            return second == slash ? false : first < second
        }
    }

    /// Refuses duplicates, and files or links that other entries treat as directories.
    static func checkTree(
        _ names: [EntryName], isDirectory: (Int) -> Bool
    ) throws(ArchiveError) {
        let order = names.indices.sorted { names[$0] < names[$1] }
        // Names on the path to the current one that are not directories. Sorted as above, whatever lies below a name
        // follows it immediately, so the last name that is not a directory is the only candidate.
        var leaf: Int?
        var previous: Int?
        for index in order {
            let name = names[index]
            if let previous, names[previous].bytes == name.bytes { throw .duplicateName(name: name.description) }
            if let leaf, name.lies(below: names[leaf]) {
                throw .nameConflict(name: names[leaf].description, below: name.description)
            }
            if !isDirectory(index) { leaf = index }
            previous = index
        }
    }

    private func lies(below other: EntryName) -> Bool {
        bytes.count > other.bytes.count && bytes[other.bytes.count] == UInt8(ascii: "/")
            && bytes.starts(with: other.bytes)
    }
}
