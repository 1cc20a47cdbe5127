import Cryptography
import Synchronization

/// Reads everything of a version and compares every file with its digest, in slices, from any place on. One caller at a
/// time, and each call awaited; blocks.
final class DeepCheck: Sendable {
    /// The next byte to read.
    struct Place: Sendable, Hashable {
        /// The file's path; empty for a version that is a run of bytes.
        var path: [UInt8]
        var offset: Int64
    }

    /// What a slice found.
    struct Found: Sendable {
        var bytes: Int64 = 0
        /// Path and what is wrong there.
        var problems: [(String, String)] = []
        /// Where to go on; nil at the end of the version.
        var place: Place?
    }

    private let version: OpenVersion
    private let state: Mutex<State>

    private struct State {
        var directories: [Directory] = []
        var file: File?
        var found = Found()
        /// Where in the next file to begin, when it is the one that was left.
        var begin: Place?
        var isStarted = false
    }

    private struct Directory {
        var entries: [TreeEntry]
        var next: Int
        var path: [UInt8]
    }

    private struct File {
        var content: FileContent
        var path: [UInt8]
        var reader: ContentReader
        var offset: Int64
        /// Nil when the file is read from its middle: its chunks and its list of chunks are compared all the same.
        var hash: SHA256?
    }

    init(_ version: OpenVersion, from place: Place?) throws {
        self.version = version
        state = Mutex(State(begin: place))
    }

    /// Reads about `limit` bytes.
    func run(_ limit: Int64, _ pace: Pace) throws -> Found {
        try state.withLock { state in
            state.found = Found()
            if !state.isStarted {
                state.isStarted = true
                try start(&state)
            }
            while state.found.bytes < limit {
                if state.file != nil {
                    try read(&state, pace)
                } else if !(try advance(&state)) {
                    return state.found
                }
            }
            if state.file == nil, !(try advance(&state)) { return state.found }
            state.found.place = state.file.map { Place(path: $0.path, offset: $0.offset) }
            return state.found
        }
    }

    private func start(_ state: inout State) throws {
        switch version.root.content {
        case .blob(let content): open(content, [], &state)
        case .tree(let root): try enter(root, [], &state)
        }
    }

    private func open(_ content: FileContent, _ path: [UInt8], _ state: inout State) {
        var offset: Int64 = 0
        if let begin = state.begin, begin.path == path, begin.offset <= content.byteCount { offset = begin.offset }
        state.begin = nil
        state.file = File(
            content: content, path: path,
            reader: ContentReader(version.context, content, range: offset..<content.byteCount), offset: offset,
            hash: offset == 0 ? SHA256() : nil)
    }

    private func enter(_ directory: DirectoryContent, _ path: [UInt8], _ state: inout State) throws {
        var entries: [TreeEntry] = []
        let context = version.context
        try note(path, &state) { _ in entries = try context.entries(directory) }
        var next = 0
        if let name = state.begin.flatMap({ Self.name(in: path, of: $0.path) }) {
            next = entries.firstIndex { !$0.name.lexicographicallyPrecedes(name[...]) } ?? entries.count
        }
        state.directories.append(Directory(entries: entries, next: next, path: path))
    }

    /// The name in directory `path` through which `place` lies; nil when it does not lie below.
    private static func name(in path: [UInt8], of place: [UInt8]) -> [UInt8]? {
        let prefix = path.isEmpty ? [] : path + [0x2F]
        guard place.starts(with: prefix), place.count > prefix.count else { return nil }
        return Array(place[prefix.count...].prefix { $0 != 0x2F })
    }

    /// Goes to the next file; false at the end.
    private func advance(_ state: inout State) throws -> Bool {
        while state.file == nil {
            guard let directory = state.directories.last else { return false }
            guard directory.next < directory.entries.count else {
                state.directories.removeLast()
                continue
            }
            state.directories[state.directories.count - 1].next += 1
            let entry = directory.entries[directory.next]
            let full = directory.path.isEmpty ? entry.name : directory.path + [0x2F] + entry.name
            switch entry.content {
            case .file(let content): open(content, full, &state)
            case .directory(let child): try enter(child, full, &state)
            case .symlink: break
            }
        }
        return true
    }

    private func read(_ state: inout State, _ pace: Pace) throws {
        guard var file = state.file else { return }
        state.file = nil
        try note(file.path, &state) { state in
            guard let piece = try file.reader.next() else {
                if let digest = file.hash?.finish(), digest != file.content.digest {
                    throw FormatError("its content is not what its name says")
                }
                return
            }
            file.hash?.update(piece)
            file.offset += Int64(piece.count)
            pace.wait(piece.count)
            state.found.bytes += Int64(piece.count)
            state.file = file
        }
    }

    private func note(_ path: [UInt8], _ state: inout State, _ body: (inout State) throws -> Void) throws {
        do {
            try version.context.guarding { try body(&state) }
        } catch let error as StoreError where error.code == .integrity {
            let name = version.context.subject + (path.isEmpty ? "" : ":" + String(decoding: path, as: UTF8.self))
            state.found.problems.append((name, error.message))
        }
    }
}
