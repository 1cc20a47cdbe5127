import Archives
import Catalog
import Cryptography
public import KeyHierarchy

/// A version as one ZIP object.
public struct ZipPresentation: Sendable {
    /// The exact length in bytes, known before anything is read.
    public let byteCount: Int64
    /// Opaque entity tag, without quotes.
    public let etag: String
    private let make: @Sendable (Range<Int64>) -> ByteStream

    init(byteCount: Int64, etag: String, make: @escaping @Sendable (Range<Int64>) -> ByteStream) {
        self.byteCount = byteCount
        self.etag = etag
        self.make = make
    }

    /// The bytes of a range, or all.
    ///
    /// - Throws: `StoreError` with `.invalid` when the range is not within the object.
    public func stream(range: Range<Int64>? = nil) throws -> ByteStream {
        make(try checked(range, of: byteCount))
    }
}

func checked(_ range: Range<Int64>?, of count: Int64) throws -> Range<Int64> {
    guard let range else { return 0..<count }
    guard range.lowerBound >= 0, range.upperBound <= count else {
        throw StoreError.invalid(
            "bytes \(range.lowerBound)..<\(range.upperBound) are outside of the \(count) bytes there are")
    }
    return range
}

extension ArtifactStore {
    /// The files, directories and symlinks of a version, in order: of a directory as stored, of a blob that is a ZIP as its
    /// own directory says.
    ///
    /// - Parameters:
    ///   - path: list below this directory, or only this file; nil: from the root. `dist/app.jar!` lists inside a file of a
    ///     directory that is a ZIP.
    ///   - recursive: everything below, not only the next level.
    ///   - share: what the reader reads through; nil: as the owner.
    public func entries(
        of id: VersionID, under path: String? = nil, recursive: Bool = true, through share: ArtifactShare? = nil
    ) async throws -> [Entry] {
        let version = try await open(id, through: share)
        switch try await target(path ?? "", in: version) {
        case .directory(let directory):
            let prefix = OpenVersion.names(path ?? "").joined(separator: [0x2F])
            return try await pool.run {
                try version.context.guarding {
                    var result: [Entry] = []
                    try version.list(directory, Array(prefix), recursive: recursive, into: &result)
                    return result
                }
            }
        case .entry(let entry):
            return [version.entry(entry, path: Array(OpenVersion.names(path ?? "").joined(separator: [0x2F])))]
        case .archive(let reader, _): return ArchiveListing.entries(reader, under: [], recursive: recursive)
        case .member(_, let member):
            return [ArchiveListing.entry(member)]
        case .memberDirectory(let reader, let path):
            return ArchiveListing.entries(reader, under: path, recursive: recursive)
        }
    }

    /// Finds a path, opening archives on the way.
    func target(_ path: String, in version: OpenVersion) async throws -> OpenVersion.Target {
        switch version.root.content {
        case .blob(let content):
            return try await inside(content, path.hasPrefix("!") ? String(path.dropFirst()) : path, version)
        case .tree(let directory):
            let found = try await pool.run { () -> OpenVersion.Target? in
                do {
                    return try version.context.guarding { try version.find(OpenVersion.names(path), in: directory) }
                } catch let error as StoreError where error.code == .notFound && path.contains("!") {
                    return nil
                }
            }
            if let found { return found }
            let halves = path.split(separator: "!", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let outer = try await pool.run {
                try version.context.guarding { try version.find(OpenVersion.names(halves[0]), in: directory) }
            }
            guard case .entry(let entry) = outer, case .file(let content) = entry.content else {
                throw StoreError.notFound("\(version.context.subject): \(halves[0]) is not a file")
            }
            return try await inside(content, halves[1], version)
        }
    }

    private func inside(_ content: FileContent, _ path: String, _ version: OpenVersion) async throws
        -> OpenVersion.Target
    {
        let reader: ZipReader
        do {
            reader = try await ZipReader(ContentSource(context: version.context, content: content))
        } catch let error as ArchiveError {
            if path.isEmpty {
                throw StoreError.invalid("\(version.context.subject) is not a ZIP that can be listed: \(error)")
            }
            throw StoreError.notFound("\(version.context.subject) is not a ZIP and has no files inside: \(error)")
        }
        let names = OpenVersion.names(path)
        if names.isEmpty { return .archive(reader, content) }
        let wanted = Array(names.joined(separator: [0x2F]))
        if let member = reader.members.first(where: { $0.name.bytes == wanted }), member.kind != .directory {
            return .member(reader, member)
        }
        let prefix = wanted + [0x2F]
        guard reader.members.contains(where: { $0.name.bytes == wanted || $0.name.bytes.starts(with: prefix) }) else {
            throw StoreError.notFound("\(version.context.subject) has no file or directory \(path)")
        }
        return .memberDirectory(reader, wanted)
    }

    /// A blob's bytes; of a directory its ZIP.
    ///
    /// - Parameters:
    ///   - range: nil: all.
    ///   - share: what the reader reads through; nil: as the owner.
    public func read(
        _ id: VersionID, range: Range<Int64>? = nil, through share: ArtifactShare? = nil
    ) async throws -> ByteStream {
        let version = try await open(id, through: share)
        guard case .blob(let content) = version.root.content else {
            return try await zip(version, try await row(id)).stream(range: range)
        }
        return version.stream(content, try checked(range, of: content.byteCount))
    }

    /// One file of a version: of a directory, of a blob that is a ZIP, or inside a ZIP in a directory (`a/b.jar!c/d`).
    ///
    /// - Throws: `StoreError` with `.notFound` when there is no such file; `.invalid` when it is a directory.
    public func readFile(
        _ id: VersionID, path: String, range: Range<Int64>? = nil, through share: ArtifactShare? = nil
    ) async throws -> (entry: Entry, stream: ByteStream) {
        let version = try await open(id, through: share)
        return try await readFile(version, try await target(path, in: version), Array(path.utf8), range)
    }

    /// One file of a version that is a directory, by the bytes of its path: for names that are not UTF-8, and for names that
    /// have a `!` of their own.
    public func readFile(
        _ id: VersionID, rawPath: [UInt8], range: Range<Int64>? = nil, through share: ArtifactShare? = nil
    ) async throws -> (entry: Entry, stream: ByteStream) {
        let version = try await open(id, through: share)
        guard case .tree(let directory) = version.root.content else {
            throw StoreError.invalid("\(version.context.subject) is no directory")
        }
        let names = rawPath.split(separator: 0x2F).map(Array.init)
        let found = try await pool.run { try version.context.guarding { try version.find(names, in: directory) } }
        return try await readFile(version, found, rawPath, range)
    }

    private func readFile(
        _ version: OpenVersion, _ target: OpenVersion.Target, _ rawPath: [UInt8], _ range: Range<Int64>?
    ) async throws -> (entry: Entry, stream: ByteStream) {
        let path = String(decoding: rawPath, as: UTF8.self)
        switch target {
        case .directory, .memberDirectory:
            throw StoreError.invalid("\(version.context.subject): \(path) is a directory")
        case .entry(let entry):
            let found = version.entry(
                entry, path: Array(rawPath.split(separator: 0x2F).map(Array.init).joined(separator: [0x2F])))
            switch entry.content {
            case .file(let content):
                let named = version.naming(path)
                return (found, named.stream(content, try checked(range, of: content.byteCount)))
            case .symlink(let target):
                let range = try checked(range, of: Int64(target.count))
                return (found, ByteStream(Array(target[Int(range.lowerBound)..<Int(range.upperBound)])))
            case .directory: throw StoreError.invalid("\(version.context.subject): \(path) is a directory")
            }
        case .archive(_, let content):
            let entry = Entry(
                rawPath: rawPath, kind: .file, mode: 0o644, size: content.byteCount, contentID: content.digest)
            return (entry, version.stream(content, try checked(range, of: content.byteCount)))
        case .member(let reader, let member):
            let range = try checked(range, of: member.uncompressedSize)
            return (ArchiveListing.entry(member), ArchiveListing.stream(reader, member, range, version.lease))
        }
    }

    /// The version as a ZIP: of a directory one made by splicing stored fragments, of a blob its own bytes.
    public func zip(_ id: VersionID, through share: ArtifactShare? = nil) async throws -> ZipPresentation {
        let lease = leases.begin(expires: nil)
        let row = try await row(id)
        return try await zip(try await open(row, lease, through: share), row)
    }

    private func zip(_ version: OpenVersion, _ row: Row) async throws -> ZipPresentation {
        let etag = try row.string("zip_etag")
        switch version.root.content {
        case .blob(let content):
            return ZipPresentation(byteCount: content.byteCount, etag: etag) { version.stream(content, $0) }
        case .tree(let directory):
            let context = version.context
            let plan = try await pool.run { try context.guarding { try ZipPlan(context, directory) } }
            let current = try await presentationTag(version, row, plan)
            return ZipPresentation(byteCount: plan.layout.totalBytes, etag: current) { range in
                ByteStream(byteCount: range.upperBound - range.lowerBound) {
                    let stream = ZipStream(context, plan, range: range)
                    // Holding the version holds its lease.
                    return {
                        defer { withExtendedLifetime(version.lease) {} }
                        return try await stream.pull()
                    }
                }
            }
        }
    }

    /// The recorded tag while the ZIP is the recorded one. When chunks were encoded anew since, its bytes differ: it gets
    /// the next number and a new tag, before a byte of it is served.
    private func presentationTag(_ version: OpenVersion, _ row: Row, _ plan: ZipPlan) async throws -> String {
        let shape = plan.shape.digest.bytes
        let recorded = try row.bytes("zip_shape")
        if recorded == shape { return try row.string("zip_etag") }
        if plan.shape.isRecorded(as: recorded) {
            // Published by an earlier program, which did not tell encodings of one length apart: from now on this one is it.
            try await catalog.write {
                _ = try $0.execute(
                    "UPDATE store_versions SET zip_shape = ? WHERE id = ? AND zip_shape = ?", shape,
                    version.id.rawValue, recorded)
            }
            return try row.string("zip_etag")
        }
        let number = Int(try row.natural("zip_number")) + 1
        let etag = etag(version.root.contentID, shape: shape, number: number)
        let bytes = plan.layout.totalBytes
        let changed = configuration.presentationChanged
        try await catalog.write { transaction in
            let count = try transaction.execute(
                """
                UPDATE store_versions SET zip_bytes = ?, zip_etag = ?, zip_number = ?, zip_shape = ?
                WHERE id = ? AND zip_number = ?
                """, bytes, etag, number, shape, version.id.rawValue, number - 1)
            if count == 1 { try changed(version.id, bytes, etag, transaction) }
        }
        return etag
    }
}

extension OpenVersion {
    func naming(_ path: String) -> OpenVersion {
        OpenVersion(id: id, root: root, context: context.naming(path), lease: lease)
    }

    /// A range of a file; the stream holds the version's lease.
    func stream(_ content: FileContent, _ range: Range<Int64>) -> ByteStream {
        ByteStream(byteCount: range.upperBound - range.lowerBound) {
            let reader = ContentReader(context, content, range: range)
            return {
                defer { withExtendedLifetime(lease) {} }
                return try await reader.pull()
            }
        }
    }

    func entry(_ entry: TreeEntry, path: [UInt8]) -> Entry {
        switch entry.content {
        case .file(let content):
            Entry(
                rawPath: path, kind: .file, mode: entry.mode, size: content.byteCount, contentID: content.digest,
                crc32: content.crc32)
        case .directory(let directory):
            Entry(rawPath: path, kind: .directory, mode: entry.mode, size: 0, contentID: directory.treeID)
        case .symlink(let target):
            Entry(
                rawPath: path, kind: .symlink, mode: entry.mode, size: Int64(target.count),
                contentID: SHA256.digest(target), linkTarget: target)
        }
    }

    func list(_ directory: DirectoryContent, _ prefix: [UInt8], recursive: Bool, into result: inout [Entry]) throws {
        for item in try context.entries(directory) {
            let path = prefix.isEmpty ? item.name : prefix + [0x2F] + item.name
            result.append(entry(item, path: path))
            if recursive, case .directory(let child) = item.content {
                try list(child, path, recursive: true, into: &result)
            }
        }
    }
}
