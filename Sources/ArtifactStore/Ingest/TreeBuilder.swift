import Cryptography

/// Makes directories of entries.
enum TreeBuilder {
    /// Directories whose stable part is larger are split, so that a change rewrites a few parts and not all names.
    private static let splitBytes = 8 << 10
    /// Fewer entries are not worth splitting.
    private static let splitEntries = 16
    /// Larger parts of a split directory are records of their own.
    private static let partInlineMaximum = 256

    /// Stores a directory; small ones come back to be kept in their parent.
    static func store(_ entries: [TreeEntry], _ session: IngestSession) throws -> DirectoryContent {
        try store(entries, session, depth: 0)
    }

    /// The same for entries that are many, of which few are decoded at a time. Throws `StoreError` when a name appears twice.
    static func store(_ entries: PackedEntries, _ session: IngestSession) throws -> DirectoryContent {
        try store(entries, try entries.sorted(), session, depth: 0)
    }

    private static func store(_ entries: PackedEntries, _ order: [UInt32], _ session: IngestSession, depth: Int) throws
        -> DirectoryContent
    {
        if order.count <= TreeObject.entriesMaximum {
            return try store(try order.map { try entries.entry(Int($0)) }, session, depth: depth)
        }
        var treeID = TreeIDHash()
        var groups = [[UInt32]](repeating: [], count: 16)
        for number in order {
            let entry = try entries.entry(Int(number))
            treeID.add(entry)
            groups[group(entry.name, depth: depth)].append(number)
        }
        let object = TreeObject.split(
            try groups.map { $0.isEmpty ? nil : try store(entries, $0, session, depth: depth + 1) })
        return try store(object, object.encode(), treeID.finish(), session, inline: -1)
    }

    /// By the next four bits of the hash of the name.
    private static func group(_ name: [UInt8], depth: Int) -> Int {
        let byte = SHA256.digest(name).withUnsafeBytes { $0[depth / 2] }
        return Int(depth % 2 == 0 ? byte >> 4 : byte & 15)
    }

    private static func store(_ entries: [TreeEntry], _ session: IngestSession, depth: Int) throws -> DirectoryContent {
        let limit = depth == 0 ? DirectoryContent.inlineMaximum : partInlineMaximum
        if entries.count <= TreeObject.entriesMaximum {
            let object = TreeObject.entries(entries)
            let parts = object.encode()
            if parts.stable.count <= splitBytes || entries.count < splitEntries {
                return try store(object, parts, TreeObject.treeID(entries), session, inline: limit)
            }
        }
        var groups = [[TreeEntry]](repeating: [], count: 16)
        for entry in entries { groups[group(entry.name, depth: depth)].append(entry) }
        let object = TreeObject.split(
            try groups.map { $0.isEmpty ? nil : try store($0, session, depth: depth + 1) })
        // Never inline: its Merkle root cannot be told from its parts' references.
        return try store(object, object.encode(), TreeObject.treeID(entries), session, inline: -1)
    }

    private static func store(
        _ object: TreeObject, _ parts: (stable: [UInt8], volatile: [UInt8]), _ treeID: SHA256Digest,
        _ session: IngestSession, inline limit: Int
    ) throws -> DirectoryContent {
        if parts.stable.count <= limit, parts.volatile.count <= DirectoryContent.inlineMaximum {
            return DirectoryContent(treeID: treeID, place: .inline(stable: parts.stable, volatile: parts.volatile))
        }
        let refs = try object.refs()
        let ref = try session.storeObject(parts.stable, kind: .tree, reach: refs.stable.map(\.id))
        if parts.volatile.count <= DirectoryContent.inlineMaximum, refs.volatile.isEmpty {
            return DirectoryContent(treeID: treeID, place: .record(ref, volatile: .inline(parts.volatile)))
        }
        let second = try session.storeObject(parts.volatile, kind: .tree, reach: refs.volatile.map(\.id))
        return DirectoryContent(treeID: treeID, place: .record(ref, volatile: .record(second)))
    }
}
