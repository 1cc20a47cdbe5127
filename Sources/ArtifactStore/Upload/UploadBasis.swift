import Cryptography
import Synchronization

/// The name that the two ends of an upload know content by.
struct ContentName: Hashable, Sendable {
    var digest: SHA256Digest
    var byteCount: Int64
}

/// Content that the sender of an upload may read anyway, and therefore need not send: some versions, opened for reading.
///
/// Thread-safe; all calls block. Memory: some directories, and the contents of at most `contentsMaximum` files.
final class UploadBasis: Sendable {
    /// Content of a version, with what reading it takes.
    struct Found: Sendable {
        var content: FileContent
        var context: ReadContext
    }

    private let versions: [OpenVersion]
    private let state = Mutex(State())
    private static let contentsMaximum = 100_000
    private static let directoriesMaximum = 256

    private struct Place: Hashable {
        var version: Int
        var path: [UInt8]
    }

    private struct State {
        var directories: [Place: [TreeEntry]] = [:]
        /// By name, with the version's position; nil before anybody asked.
        var contents: [ContentName: (version: Int, content: FileContent)]?
    }

    /// - Parameter versions: the ones to prefer first.
    init(_ versions: [OpenVersion]) { self.versions = versions }

    /// The file at a path in the first version that has one.
    func file(at path: [UInt8]) -> Found? {
        for (index, version) in versions.enumerated() {
            let content: FileContent
            switch version.root.content {
            case .blob(let blob):
                guard path.isEmpty else { continue }
                content = blob
            case .tree:
                guard case .file(let file)? = entry(path, index)?.content else { continue }
                content = file
            }
            return Found(content: content, context: version.context)
        }
        return nil
    }

    /// The file that a changed one most probably grew out of: at the same path, else at a path that differs in numbers
    /// only, as those of releases do: `lib-1.2/app-1.2.jar` and `lib-1.10/app-1.10.jar`.
    func earlier(_ path: [UInt8]) -> Found? {
        if let found = file(at: path) { return found }
        let names = path.split(separator: 0x2F).map(Array.init)
        for (index, version) in versions.enumerated() {
            var place = Place(version: index, path: [])
            for (depth, name) in names.enumerated() {
                let isFile = depth == names.count - 1
                guard let entry = entries(place).alike(name, isFile: isFile) else { break }
                if case .file(let content) = entry.content { return Found(content: content, context: version.context) }
                place.path += (place.path.isEmpty ? [] : [0x2F]) + entry.name
            }
        }
        return nil
    }

    /// Content by name: at the same path in any of the versions, else anywhere in them.
    func content(_ name: ContentName, at path: [UInt8]) -> Found? {
        if let found = file(at: path), found.content.isNamed(name) { return found }
        return state.withLock { state in
            if state.contents == nil { state.contents = gather() }
            guard let found = state.contents?[name] else { return nil }
            return Found(content: found.content, context: versions[found.version].context)
        }
    }

    private func entry(_ path: [UInt8], _ version: Int) -> TreeEntry? {
        guard let slash = path.lastIndex(of: 0x2F) else {
            return path.isEmpty ? nil : entries(Place(version: version, path: [])).named(path[...])
        }
        return entries(Place(version: version, path: Array(path[..<slash]))).named(path[(slash + 1)...])
    }

    /// The entries of a directory; none where there is no such directory or it cannot be read: what cannot be read will be
    /// sent, and heals.
    private func entries(_ place: Place) -> [TreeEntry] {
        if let known = state.withLock({ $0.directories[place] }) { return known }
        let version = versions[place.version]
        var directory: DirectoryContent?
        if place.path.isEmpty {
            if case .tree(let root) = version.root.content { directory = root }
        } else if case .directory(let child)? = entry(place.path, place.version)?.content {
            directory = child
        }
        let found = directory.flatMap { try? version.context.entries($0) } ?? []
        state.withLock { state in
            if state.directories.count >= Self.directoriesMaximum { state.directories.removeAll() }
            state.directories[place] = found
        }
        return found
    }

    /// The contents of all files of all versions, up to the maximum; shared directories are visited once.
    private func gather() -> [ContentName: (version: Int, content: FileContent)] {
        var found: [ContentName: (version: Int, content: FileContent)] = [:]
        var seen: Set<SHA256Digest> = []
        for (index, version) in versions.enumerated() {
            var directories: [DirectoryContent] = []
            switch version.root.content {
            case .blob(let content): found[content.name] = (index, content)
            case .tree(let root): directories = [root]
            }
            while let directory = directories.popLast(), found.count < Self.contentsMaximum {
                guard seen.insert(directory.treeID).inserted else { continue }
                for entry in (try? version.context.entries(directory)) ?? [] {
                    switch entry.content {
                    case .file(let content): if found[content.name] == nil { found[content.name] = (index, content) }
                    case .directory(let child): directories.append(child)
                    case .symlink: break
                    }
                }
            }
        }
        return found
    }
}

extension FileContent {
    func isNamed(_ name: ContentName) -> Bool { byteCount == name.byteCount && digest == name.digest }

    var name: ContentName { ContentName(digest: digest, byteCount: byteCount) }
}

extension [TreeEntry] {
    /// The entry of a name, in entries that are sorted by name.
    fileprivate func named(_ name: ArraySlice<UInt8>) -> TreeEntry? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].name.elementsEqual(name) ? self[low] : nil
    }

    /// The entry of a name, else the last one, hence often the newest, whose name differs in numbers only.
    fileprivate func alike(_ name: [UInt8], isFile: Bool) -> TreeEntry? {
        func isRight(_ entry: TreeEntry) -> Bool {
            switch entry.content {
            case .file: isFile
            case .directory: !isFile
            case .symlink: false
            }
        }
        if let same = named(name[...]), isRight(same) { return same }
        let letters = Self.letters(name)
        return letters.isEmpty ? nil : last { isRight($0) && Self.letters($0.name) == letters }
    }

    /// A name without digits and what separates them.
    private static func letters(_ name: [UInt8]) -> [UInt8] {
        name.filter { byte in !(0x30...0x39).contains(byte) && ![0x2D, 0x2E, 0x5F, 0x2B].contains(byte) }
    }
}

extension IngestSession {
    /// Content of another version as this ingest may refer to it: as it is where this domain has all of it, else stored
    /// once more. Nil when it cannot be read. Blocks.
    func adopt(_ found: UploadBasis.Found) throws -> FileContent? {
        let other = found.context.domain
        if other.id == domain.id, other.epoch == domain.epoch, try relies(on: found.content) { return found.content }
        do {
            let builder = ContentBuilder(self)
            let reader = ContentReader(found.context, found.content, range: 0..<found.content.byteCount)
            while let piece = try reader.next() { try piece.withUnsafeBytes { try builder.add($0) } }
            let copy = try builder.finish()
            return copy.name == found.content.name ? copy : nil
        } catch let error as StoreError where error.code == .integrity {
            return nil
        }
    }

    /// Whether every record of some content is there. Notes that this ingest relies on them.
    func relies(on content: FileContent) throws -> Bool {
        for segment in content.segments {
            guard let ref = segment.ref else { continue }
            guard let location = try find(ref.id) else { return false }
            if case .node = segment {
                guard let bytes = try? openUnchecked(ref.id, key: ref.key, location),
                    SHA256.digest(bytes) == ref.digest,
                    try allPresent(bytes)
                else { return false }
            }
        }
        return true
    }
}
