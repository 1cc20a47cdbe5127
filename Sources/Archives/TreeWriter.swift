import Glibc
public import SystemPackage

/// Writes files, directories and links below one directory, and never outside it.
///
/// Every step goes through directory descriptors with `O_NOFOLLOW`, so neither a hostile name nor a link that appears
/// meanwhile can lead elsewhere. Existing files are refused, not overwritten. Links are made last, after a check that none
/// of them leaves the tree (unless the archive is of an own tree); directory modes are applied at the end, so read-only directories can be filled. Blocks on file
/// I/O: call it off the cooperative pool, or through `TreeWriterActor`. After an error the tree is incomplete; the caller
/// removes it.
public final class TreeWriter {
    /// Counts of what was written.
    public struct Report: Sendable, Hashable {
        /// Regular files.
        public var files = 0
        /// Directories named by the source.
        public var directories = 0
        /// Symbolic links.
        public var links = 0
        /// Bytes of file content.
        public var bytes: Int64 = 0
    }

    /// Deepest nesting; each level holds a descriptor open.
    private static func maximumDepth(_ origin: ArchiveOrigin) -> Int { origin == .ownTree ? 2_048 : 256 }

    private let limits: ArchiveLimits
    private let root: Int32
    /// The directories from the root to the one written to last.
    private var open: [(name: [UInt8], descriptor: Int32)] = []
    private var file: (descriptor: Int32, name: EntryName, permissions: UInt16)?
    private var directoryModes: [(name: EntryName, permissions: UInt16)] = []
    private var links: LinkTable
    /// What was written so far.
    public private(set) var report = Report()

    /// Opens `directory`, creating it where it is missing (its parent must exist).
    public init(_ directory: FilePath, limits: ArchiveLimits = ArchiveLimits()) throws(ArchiveError) {
        self.limits = limits
        links = LinkTable(limits.origin)
        let path = directory.string
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw .system(operation: "creation", name: path, code: errno)
        }
        root = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw .system(operation: "opening", name: path, code: errno) }
    }

    deinit {
        if let file { close(file.descriptor) }
        for level in open { close(level.descriptor) }
        close(root)
    }

    /// Makes a directory; one that exists already is fine.
    public func directory(_ name: EntryName, permissions: UInt16) throws(ArchiveError) {
        guard !name.bytes.isEmpty else { return }
        try count(entry: name)
        _ = try enter(name.components, of: name)
        directoryModes.append((name, permissions))
        report.directories += 1
    }

    /// Creates a file, which `write` then fills and `endFile` completes.
    public func beginFile(_ name: EntryName, permissions: UInt16) throws(ArchiveError) {
        try count(entry: name)
        guard file == nil, let last = name.components.last else {
            throw .unsafeName(name: name.description, reason: "it names no file")
        }
        let parent = try enter(name.components.dropLast(), of: name)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = withCString(last) { openat(parent, $0, flags, 0o600) }
        guard descriptor >= 0 else { throw .system(operation: "creation", name: name.description, code: errno) }
        file = (descriptor, name, permissions)
    }

    /// Appends to the file begun last.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        guard let file else { throw .system(operation: "write", name: "", code: EBADF) }
        report.bytes += Int64(bytes.count)
        guard report.bytes <= limits.totalBytes else {
            throw .limit(.totalBytes, member: file.name.description, value: report.bytes, allowed: limits.totalBytes)
        }
        var rest = bytes
        while !rest.isEmpty {
            let written = Glibc.write(file.descriptor, rest.baseAddress, rest.count)
            if written < 0 {
                if errno == EINTR { continue }
                throw .system(operation: "write", name: file.name.description, code: errno)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Completes the file begun last: applies its permissions and closes it.
    public func endFile() throws(ArchiveError) {
        guard let done = file else { return }
        file = nil
        let chmodResult = fchmod(done.descriptor, mode_t(done.permissions & 0o777))
        let chmodCode = errno
        let closeResult = close(done.descriptor)
        guard chmodResult == 0 else {
            throw .system(operation: "setting permissions", name: done.name.description, code: chmodCode)
        }
        guard closeResult == 0 else { throw .system(operation: "write", name: done.name.description, code: errno) }
        report.files += 1
    }

    /// Notes a symbolic link, which `finish` makes.
    public func symlink(_ name: EntryName, target: [UInt8]) throws(ArchiveError) {
        try count(entry: name)
        try links.add(name, target: target)
    }

    /// Makes the links and applies the directories' permissions.
    public func finish() throws(ArchiveError) {
        try endFile()
        try links.check()
        for (name, target) in links.sorted {
            guard let last = name.components.last else { continue }
            let parent = try enter(name.components.dropLast(), of: name)
            let result = withCString(target[...]) { target in withCString(last) { symlinkat(target, parent, $0) } }
            guard result == 0 else { throw .system(operation: "linking", name: name.description, code: errno) }
            report.links += 1
        }
        // Deepest first: a directory without search permission would hide those below it.
        for (name, permissions) in directoryModes.sorted(by: { $1.name < $0.name }) {
            let descriptor = try enter(name.components, of: name)
            guard fchmod(descriptor, mode_t(permissions & 0o777)) == 0 else {
                throw .system(operation: "setting permissions", name: name.description, code: errno)
            }
        }
    }

    private func count(entry name: EntryName) throws(ArchiveError) {
        let total = report.files + report.directories + links.count + 1
        guard total <= limits.entries else {
            throw .limit(.entries, member: name.description, value: Int64(total), allowed: Int64(limits.entries))
        }
    }

    /// A descriptor of the directory at `path`, made where missing. Entries in tree order reuse most of the last path.
    private func enter(_ path: some Collection<ArraySlice<UInt8>>, of name: EntryName) throws(ArchiveError) -> Int32 {
        let depthMax = Self.maximumDepth(limits.origin)
        guard path.count <= depthMax else {
            throw .unsafeName(name: name.description, reason: "it is nested deeper than \(depthMax) levels")
        }
        let common = zip(open, path).prefix { $0.name[...] == $1 }.count
        while open.count > common { close(open.removeLast().descriptor) }
        for component in path.dropFirst(common) {
            let parent = open.last?.descriptor ?? root
            let made = withCString(component) { mkdirat(parent, $0, 0o755) }
            if made != 0, errno != EEXIST { throw .system(operation: "creation", name: name.description, code: errno) }
            let descriptor = withCString(component) {
                openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            guard descriptor >= 0 else { throw .system(operation: "opening", name: name.description, code: errno) }
            open.append((Array(component), descriptor))
        }
        return open.last?.descriptor ?? root
    }

    private func withCString<R>(_ bytes: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) -> R) -> R {
        // Names were checked to hold no NUL.
        var terminated = [CChar](unsafeUninitializedCapacity: bytes.count + 1) { _, count in count = 0 }
        for byte in bytes { terminated.append(CChar(bitPattern: byte)) }
        terminated.append(0)
        return body(terminated)
    }
}
