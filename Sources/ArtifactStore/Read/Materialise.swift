import Archives
public import SystemPackage

/// What was written.
public struct MaterialiseReport: Sendable, Hashable {
    /// Regular files.
    public var files = 0
    /// Directories below the target.
    public var directories = 0
    /// Symlinks.
    public var symlinks = 0
    /// Bytes of regular files.
    public var bytes: Int64 = 0
    /// Of the files, those that were there already and only compared.
    public var unchanged = 0
    /// Of the bytes, those of files that were there already.
    public var unchangedBytes: Int64 = 0
    /// Files, links and whole directories that the version does not have and that were removed.
    public var removed = 0
}

extension ArtifactStore {
    /// Writes a version to a directory, which is made if needed and must not hold anything of the same name: a directory
    /// as its files, a ZIP blob unpacked, any other blob as one file named `blobName`. Nothing is written outside of it.
    ///
    /// - Parameter updating: the target may hold an earlier version, or anything else, and is made equal to this one:
    ///   files that are there with the right content (their SHA-256 is compared) stay as they are, others are replaced one by
    ///   one, what the version does not have is removed. Only for versions that are directories.
    /// - Throws: `StoreError`; after an error the target is incomplete: the caller removes it, or updates it again.
    public func materialise(
        _ id: VersionID, to target: FilePath, blobName: String = "artifact", updating: Bool = false
    ) async throws -> MaterialiseReport {
        let version = try await open(id)
        switch version.root.content {
        case .tree(let directory):
            let writer = Materialiser(version, updating: updating)
            return try await pool.run { try version.context.guarding { try writer.run(directory, to: target.string) } }
        case .blob where updating:
            throw StoreError.invalid("\(version.context.subject) is no directory, so it cannot update one")
        case .blob(let content):
            if let reader = try? await ZipReader(ContentSource(context: version.context, content: content)) {
                do {
                    let report = try await reader.extract(to: target)
                    return MaterialiseReport(
                        files: report.files, directories: report.directories, symlinks: report.links,
                        bytes: report.bytes)
                } catch let error as ArchiveError {
                    throw StoreError.invalid("\(version.context.subject) cannot be unpacked: \(error)")
                }
            }
            let entry = TreeEntry(name: Array(blobName.utf8), mode: 0o644, content: .file(content))
            guard TreeObject.isValidName(entry.name) else { throw StoreError.invalid("\(blobName) is not a file name") }
            let writer = Materialiser(version)
            return try await pool.run { try version.context.guarding { try writer.run([entry], to: target.string) } }
        }
    }
}
