import Glibc
import Synchronization

/// Visits the directories of a version in order, makes them and the links in them on the way, and hands out the files, a
/// window of them at a time.
final class RestoreWalk: @unchecked Sendable {
    // Proof: `Materialiser` asks for one window after the other; its rounds of side-by-side work order all access.
    private let context: ReadContext
    private let updating: Bool
    private let report: RestoreReport
    private var levels: [Level]
    /// Files that were visited and are not planned yet, last one first.
    private var waiting: [(file: RestoredFile, content: FileContent)] = []
    /// A file of several pieces under way.
    private var current: (file: RestoredFile, walk: SegmentWalk, offset: Int64)?
    /// Directories to be finished with the files that wait.
    private var closing: [RestoredFolder] = []

    private struct Level {
        var folder: RestoredFolder
        var entries: [TreeEntry]
        var next = 0
    }

    private static let waitingMaximum = 1024
    private static let waitingBytesMaximum: Int64 = 64 << 20
    /// Each has an open descriptor.
    private static let closingMaximum = 64

    init(
        _ context: ReadContext, _ entries: [TreeEntry], in root: RestoredFolder, updating: Bool, report: RestoreReport
    ) throws {
        self.context = context
        self.updating = updating
        self.report = report
        levels = []
        try enter(root, entries)
    }

    /// The next files, planned; nil when there are no more.
    func next() throws -> RestoreWindow? {
        while waiting.isEmpty, current == nil, closing.isEmpty, !levels.isEmpty { try gather() }
        var window = RestoreWindow()
        while !window.isFull {
            if current != nil {
                try proceed(&window)
            } else if let (file, content) = waiting.popLast() {
                try begin(file, content, &window)
            } else {
                break
            }
        }
        if waiting.isEmpty, current == nil {
            window.closing = closing
            closing = []
        }
        if window.isEmpty { return nil }
        try window.plan(context)
        for read in window.reads { context.reader.packs.willRead(pack: read.pack, read.bytes) }
        return window
    }

    // MARK: Visiting

    /// Visits entries until there are files enough.
    private func gather() throws {
        var byteCount: Int64 = 0
        while waiting.count < Self.waitingMaximum, byteCount < Self.waitingBytesMaximum,
            closing.count < Self.closingMaximum, let level = levels.last
        {
            guard level.next < level.entries.count else {
                closing.append(level.folder)
                levels.removeLast()
                continue
            }
            levels[levels.count - 1].next += 1
            let entry = level.entries[level.next]
            let path = level.folder.path + "/" + String(decoding: entry.name, as: UTF8.self)
            let name = entry.name.map { CChar(bitPattern: $0) } + [0]
            switch entry.content {
            case .file(let content):
                byteCount += content.byteCount
                let file = RestoredFile(name, in: level.folder, mode: entry.mode, path: path, updating: updating)
                waiting.append((file, content))
            case .symlink(let target): try symlink(target, name, in: level.folder, path: path)
            case .directory(let content):
                let folder = try directory(name, in: level.folder, mode: entry.mode, path: path)
                try enter(folder, try context.naming(path).guarding { try context.entries(content) })
            }
        }
        if updating { try dropUnchanged() }
        waiting.reverse()
    }

    private func enter(_ folder: RestoredFolder, _ entries: [TreeEntry]) throws {
        if updating {
            let removed = try LocalEntries.remove(
                from: folder.descriptor, except: Set(entries.map(\.name)), path: folder.path)
            report.add { $0.removed += removed }
        }
        levels.append(Level(folder: folder, entries: entries))
    }

    private func symlink(_ target: [UInt8], _ name: [CChar], in folder: RestoredFolder, path: String) throws {
        report.add { $0.symlinks += 1 }
        if updating {
            if LocalEntries.target(of: name, in: folder.descriptor) == target { return }
            try LocalEntries.remove(name, in: folder.descriptor, path: path)
        }
        guard symlinkat(target.map { CChar(bitPattern: $0) } + [0], folder.descriptor, name) == 0 else {
            throw Materialiser.failure("make link", path)
        }
    }

    private func directory(_ name: [CChar], in parent: RestoredFolder, mode: UInt32, path: String) throws
        -> RestoredFolder
    {
        if updating, LocalEntries.kind(of: name, in: parent.descriptor) != S_IFDIR {
            try LocalEntries.remove(name, in: parent.descriptor, path: path)
        }
        guard mkdirat(parent.descriptor, name, 0o700) == 0 || (updating && errno == EEXIST) else {
            throw Materialiser.failure("make directory", path)
        }
        let child = openat(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard child >= 0 else { throw Materialiser.failure("open directory", path) }
        let folder = RestoredFolder(child, path: path, mode: mode)
        guard !updating || fchmod(child, 0o700) == 0 else { throw Materialiser.failure("set the mode of", path) }
        report.add { $0.directories += 1 }
        return folder
    }

    /// Compares what is there, side by side, and leaves out files that have the right content already.
    private func dropUnchanged() throws {
        let candidates = waiting
        let same = Mutex([Bool](repeating: false, count: candidates.count))
        try context.pool.forEach(candidates.count) { index in
            let (file, content) = candidates[index]
            let isSame = try LocalEntries.isFile(
                file.name, in: file.folder.descriptor, content, mode: file.mode, path: file.path)
            if isSame { same.withLock { $0[index] = true } }
        }
        let isSame = same.withLock { $0 }
        waiting = []
        for (index, candidate) in candidates.enumerated() {
            guard isSame[index] else {
                waiting.append(candidate)
                continue
            }
            report.add { report in
                report.files += 1
                report.bytes += candidate.content.byteCount
                report.unchanged += 1
                report.unchangedBytes += candidate.content.byteCount
            }
        }
    }

    // MARK: Planning

    private func begin(_ file: RestoredFile, _ content: FileContent, _ window: inout RestoreWindow) throws {
        report.add { report in
            report.files += 1
            report.bytes += content.byteCount
        }
        let whole = RestoreWindow.Place(file: file, offset: 0, isWhole: true)
        switch content {
        case .inline(let bytes): return try window.add(.literal(bytes), whole)
        case .chunk(let ref): return try window.add(.chunk(ref), whole)
        case .segments, .node: break
        }
        try file.create()
        window.noteOpenFile()
        current = (file, SegmentWalk(context.naming(file.path), content), 0)
    }

    /// Plans pieces of the file under way until it ends or the window is full.
    private func proceed(_ window: inout RestoreWindow) throws {
        guard let (file, begun, start) = current else { return }
        var (walk, offset) = (begun, start)
        try context.naming(file.path).guarding {
            while !window.isFull {
                guard let (segment, _) = try walk.next() else {
                    window.finishing.append(file)
                    current = nil
                    return
                }
                try window.add(segment, RestoreWindow.Place(file: file, offset: offset, isWhole: false))
                offset += segment.byteCount
            }
            current = (file, walk, offset)
        }
    }
}

/// What was written so far.
final class RestoreReport: Sendable {
    private let report = Mutex(MaterialiseReport())

    func add(_ change: (inout MaterialiseReport) -> Void) { report.withLock { change(&$0) } }

    var value: MaterialiseReport { report.withLock { $0 } }
}
