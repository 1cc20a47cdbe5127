import Cryptography

/// Writes the two parts of a directory side by side.
struct TreeCoder {
    var stable = CanonicalWriter()
    var volatile = CanonicalWriter()

    mutating func entry(_ entry: TreeEntry) {
        stable.string(entry.name)
        stable.integer(UInt64(entry.mode))
        switch entry.content {
        case .file(let file):
            stable.byte(0)
            content(file)
        case .directory(let directory):
            stable.byte(1)
            self.directory(directory)
        case .symlink(let target):
            stable.byte(2)
            stable.string(target)
        }
    }

    private mutating func content(_ content: FileContent) {
        guard case .segments(let segments, let digest) = content else { return stable.content(content) }
        stable.byte(2)
        volatile.digest(digest)
        stable.integer(segments.count)
        for segment in segments {
            if case .literal(let bytes) = segment {
                stable.byte(0)
                volatile.string(bytes)
            } else {
                stable.segment(segment)
            }
        }
    }

    mutating func directory(_ directory: DirectoryContent) {
        switch directory.place {
        case .inline(let inner, let innerVolatile):
            stable.byte(0)
            stable.string(inner)
            volatile.string(innerVolatile)
        case .record(let ref, let part):
            stable.byte(1)
            stable.ref(ref, crc: false)
            volatile.digest(directory.treeID)
            switch part {
            case .inline(let bytes):
                volatile.byte(0)
                volatile.string(bytes)
            case .record(let ref):
                volatile.byte(1)
                volatile.ref(ref, crc: false)
            }
        }
    }
}

/// Reads the two parts of a directory side by side.
struct TreeDecoder {
    var stable: CanonicalReader
    var volatile: CanonicalReader

    mutating func entry() throws -> TreeEntry {
        let name = try stable.string()
        guard TreeObject.isValidName(name) else { throw FormatError("a name in it is not allowed") }
        let mode = UInt32(try stable.count(limit: 0o7777))
        switch try stable.byte() {
        case 0: return TreeEntry(name: name, mode: mode, content: .file(try content()))
        case 1:
            guard let directory = try optionalDirectory() else { throw FormatError("a directory is missing") }
            return TreeEntry(name: name, mode: mode, content: .directory(directory))
        case 2: return TreeEntry(name: name, mode: mode, content: .symlink(try stable.string()))
        case let kind: throw FormatError("an entry has the unknown kind \(kind)")
        }
    }

    private mutating func content() throws -> FileContent {
        guard try stable.peek() == 2 else { return try stable.content() }
        _ = try stable.byte()
        let digest = try volatile.digest()
        let count = try stable.count(limit: 64)
        var segments: [Segment] = []
        for _ in 0..<count {
            if try stable.peek() == 0 {
                _ = try stable.byte()
                segments.append(.literal(try volatile.string()))
            } else {
                segments.append(try stable.segment(nodes: false))
            }
        }
        return .segments(segments, digest)
    }

    mutating func optionalDirectory() throws -> DirectoryContent? {
        switch try stable.byte() {
        case 0:
            let inner = try stable.string()
            let innerVolatile = try volatile.string()
            guard max(inner.count, innerVolatile.count) <= DirectoryContent.inlineMaximum else {
                throw FormatError("an inlined directory is too long")
            }
            guard case .entries(let entries) = try TreeObject(stable: inner, volatile: innerVolatile) else {
                throw FormatError("an inlined directory is split")
            }
            return DirectoryContent(
                treeID: TreeObject.treeID(entries), place: .inline(stable: inner, volatile: innerVolatile))
        case 1:
            let ref = try stable.ref(crc: false)
            let treeID = try volatile.digest()
            switch try volatile.byte() {
            case 0:
                let bytes = try volatile.string()
                guard bytes.count <= DirectoryContent.inlineMaximum else {
                    throw FormatError("an inlined part of a directory is too long")
                }
                return DirectoryContent(treeID: treeID, place: .record(ref, volatile: .inline(bytes)))
            case 1:
                return DirectoryContent(
                    treeID: treeID, place: .record(ref, volatile: .record(try volatile.ref(crc: false))))
            case let kind: throw FormatError("a part of a directory has the unknown place \(kind)")
            }
        case 2: return nil
        case let kind: throw FormatError("a directory has the unknown place \(kind)")
        }
    }
}
