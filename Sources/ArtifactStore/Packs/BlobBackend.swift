/// Where packs live: a local directory, memory, or an object store.
///
/// All calls block; the store makes them from its own threads. Names are lowercase hexadecimal and never used twice.
public protocol BlobBackend: Sendable {
    /// Makes an empty file that grows by `append`. Refuses a name that exists.
    func create(_ name: String) throws
    /// Writes `bytes` at `offset`, which is the file's length so far.
    func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws
    /// Returns when everything appended, and the file's name, survive a loss of power.
    func sync(_ name: String) throws
    /// No more bytes will follow; the backend may close or upload the file. Implies `sync`.
    func seal(_ name: String) throws
    /// Cuts the file to `length`, to drop what a crash left behind.
    func truncate(_ name: String, to length: Int64) throws
    /// Fills `buffer` with the bytes at `offset`. Throws when the file ends before.
    func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws
    /// Says that `count` bytes at `offset` will be read soon, so that they may be fetched meanwhile. Does not wait; a backend
    /// that has no use for it does nothing.
    func willRead(_ name: String, at offset: Int64, count: Int)
    /// The file's length, or nil when there is none.
    func length(_ name: String) throws -> Int64?
    /// Removes the file; a missing one is no error.
    func delete(_ name: String) throws
    /// All names.
    func list() throws -> [String]
}

extension BlobBackend {
    /// Does nothing.
    public func willRead(_ name: String, at offset: Int64, count: Int) {}
}
