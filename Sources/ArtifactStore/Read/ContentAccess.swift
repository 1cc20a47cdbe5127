import Archives
import Catalog
import Cryptography
import KeyHierarchy

/// A file's content as random access, for reading archives in place.
struct ContentSource: RandomAccess {
    let context: ReadContext
    let content: FileContent

    var byteCount: Int64 { content.byteCount }

    func read(at offset: Int64, count: Int) async throws -> [UInt8] {
        guard offset >= 0, count >= 0, offset + Int64(count) <= byteCount else {
            throw StoreError.invalid("bytes \(offset)..<\(offset + Int64(count)) are outside of \(context.subject)")
        }
        return try await context.pool.run {
            let reader = ContentReader(context, content, range: offset..<offset + Int64(count))
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            while let piece = try reader.next() { bytes += piece }
            return bytes
        }
    }
}

/// A version that was opened for reading. Holds a lease, so that nothing it needs is deleted meanwhile.
struct OpenVersion: Sendable {
    let id: VersionID
    let root: VersionRoot
    let context: ReadContext
    let lease: Lease
}

extension ArtifactStore {
    /// Unwraps a version's data key and opens its manifest.
    ///
    /// - Parameter share: what the reader reads through; nil: the owner's own key.
    func open(_ id: VersionID, through share: ArtifactShare? = nil) async throws -> OpenVersion {
        let lease = leases.begin(expires: nil)
        return try await open(try await row(id), lease, through: share)
    }

    func open(_ row: Row, _ lease: Lease, through share: ArtifactShare? = nil) async throws -> OpenVersion {
        let id = try VersionRow.id(row)
        let (draft, wrapped) = try DamagedRow.naming("version \(id)") {
            (try VersionRow.draft(row), try row.bytes("data_key"))
        }
        let binding = DataKeyBinding(id, draft)
        let dataKey =
            if let share {
                try await self.dataKey(wrapped, of: binding, under: try row.string("key_arn"), through: share)
            } else {
                try await keys.openDataKey(wrapped, of: binding)
            }
        let (domain, number, sealed) = try DamagedRow.naming("version \(id)") {
            let domain = RecordDomain(id: try row.bytes("domain_id"), epoch: try row.integer("domain_epoch"))
            return (domain, Int(try row.natural("number")), try row.bytes("root"))
        }
        let subject = "\(draft.repository)/\(draft.artifact)@\(number)"
        let context = ReadContext(reader: reader, pool: pool, domain: domain, session: nil, subject: subject)
        let root = try context.guarding {
            try VersionRoot(
                decoding: try RootManifest.open(sealed, dataKey: dataKey, version: id, number: number))
        }
        return OpenVersion(id: id, root: root, context: context, lease: lease)
    }
}

extension OpenVersion {
    /// What a path leads to.
    enum Target: Sendable {
        case directory(DirectoryContent)
        case entry(TreeEntry)
        case archive(ZipReader, FileContent)
        case member(ZipReader, ZipMember)
        /// A directory inside an archive, which archives need not list.
        case memberDirectory(ZipReader, [UInt8])
    }

    /// The path's names, `!` separating an archive from what is inside it.
    static func names(_ path: String) -> [[UInt8]] { path.utf8.split(separator: 0x2F).map(Array.init) }

    /// Finds a path in a tree. Blocks.
    func find(_ names: [[UInt8]], in directory: DirectoryContent) throws -> Target {
        var current = directory
        for (index, name) in names.enumerated() {
            guard let entry = try lookup(name, in: current, depth: 0) else { throw missing(names) }
            if index == names.count - 1 {
                if case .directory(let child) = entry.content { return .directory(child) }
                return .entry(entry)
            }
            guard case .directory(let child) = entry.content else { throw missing(names) }
            current = child
        }
        return .directory(current)
    }

    private func missing(_ names: [[UInt8]]) -> StoreError {
        let path = String(decoding: Array(names.joined(separator: [0x2F])), as: UTF8.self)
        return StoreError.notFound("\(context.subject) has no file or directory \(path)")
    }

    private func lookup(_ name: [UInt8], in directory: DirectoryContent, depth: Int) throws -> TreeEntry? {
        switch try context.tree(directory) {
        case .entries(let entries):
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
            }
            return low < entries.count && entries[low].name == name ? entries[low] : nil
        case .split(let parts):
            let byte = SHA256.digest(name).withUnsafeBytes { $0[depth / 2] }
            guard let part = parts[Int(depth % 2 == 0 ? byte >> 4 : byte & 15)] else { return nil }
            return try lookup(name, in: part, depth: depth + 1)
        }
    }
}
