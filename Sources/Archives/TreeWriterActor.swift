import Dispatch
public import SystemPackage

/// A `TreeWriter` whose blocking calls run on a thread of their own.
public actor TreeWriterActor {
    private let writer: TreeWriter
    private let executor: QueueExecutor

    /// Jobs run on the private queue, never on the cooperative pool.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens `directory`, creating it where it is missing.
    public init(_ directory: FilePath, limits: ArchiveLimits = ArchiveLimits()) throws {
        executor = QueueExecutor()
        writer = try TreeWriter(directory, limits: limits)
    }

    /// Makes a directory.
    public func directory(_ name: EntryName, permissions: UInt16) throws {
        try writer.directory(name, permissions: permissions)
    }

    /// Creates a file, which `write` then fills and `endFile` completes.
    public func beginFile(_ name: EntryName, permissions: UInt16) throws {
        try writer.beginFile(name, permissions: permissions)
    }

    /// Appends to the file begun last.
    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try writer.write($0) }
    }

    /// Completes the file begun last.
    public func endFile() throws { try writer.endFile() }

    /// Writes a whole small file in one call.
    public func file(_ name: EntryName, permissions: UInt16, _ content: [UInt8]) throws {
        try writer.beginFile(name, permissions: permissions)
        try content.withUnsafeBytes { try writer.write($0) }
        try writer.endFile()
    }

    /// Notes a symbolic link, which `finish` makes.
    public func symlink(_ name: EntryName, target: [UInt8]) throws {
        try writer.symlink(name, target: target)
    }

    /// Makes the links, applies the directories' permissions, and says what was written.
    public func finish() throws -> TreeWriter.Report {
        try writer.finish()
        return writer.report
    }
}

/// Runs an actor's jobs on a dispatch queue.
final class QueueExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "archives.tree-writer")

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        queue.async { unowned.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
