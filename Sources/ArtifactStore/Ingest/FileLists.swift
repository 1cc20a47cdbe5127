import Cryptography
import Synchronization

/// Which list of chunks goes by a file's own name, while ingests that are to publish it are under way.
///
/// The list of a large file's chunks is named by the file, so that the file is recognised by its hash. One file can be cut in
/// several ways: by keys of different epochs when a version is re-encrypted, by another release. The name belongs to the
/// list that was there first, in a pack, in the journal or here; any other list is named by its own bytes. So no name stands
/// for two lists, and no list is lost because another took its place.
final class FileLists: Sendable {
    private struct Claim {
        var list: SHA256Digest
        var holders: Int
    }

    private let claims = Mutex<[RecordID: Claim]>([:])

    /// Takes the name for a list, unless an ingest under way has taken it for another one.
    func claim(_ name: RecordID, for list: SHA256Digest) -> Bool {
        claims.withLock { claims in
            guard let known = claims[name] else {
                claims[name] = Claim(list: list, holders: 1)
                return true
            }
            guard known.list == list else { return false }
            claims[name]?.holders += 1
            return true
        }
    }

    /// Gives up what an ingest has claimed: what it published is found in packs and journal from now on.
    func release(_ names: [RecordID]) {
        if names.isEmpty { return }
        claims.withLock { claims in
            for name in names {
                guard var claim = claims[name] else { continue }
                claim.holders -= 1
                claims[name] = claim.holders == 0 ? nil : claim
            }
        }
    }
}

extension IngestSession {
    /// Stores the list of a file's chunks: named by the file, so that the file is recognised by its own hash, or by its own
    /// bytes when the file's name stands for another list.
    func storeFileNode(_ bytes: [UInt8], file: SHA256Digest, count: Int64, reach: [RecordID]) throws -> Ref {
        let id = domain.recordID(file, count: count, .file)
        let key = domain.recordKey(file, count: count, .file)
        let ref = Ref(count: bytes.count, digest: SHA256.digest(bytes), id: id, key: key, crc: 0)
        guard claim(id, for: ref.digest) else { return try storeObject(bytes, kind: .node, reach: reach) }
        switch try stored(id, key: key) {
        case .some(let known) where known != bytes:
            unclaim(id)
            return try storeObject(bytes, kind: .node, reach: reach)
        case .some:
            if try find(id) != nil { return ref }
        case nil: break
        }
        try bytes.withUnsafeBytes { try write($0, ref, kind: .node, reach: reach, compress: true) }
        return ref
    }

    /// What a name stands for, be it on its way out; nil: nothing, or nothing that can be read any more.
    private func stored(_ id: RecordID, key: RecordKey) throws -> [UInt8]? {
        if let held = held(id) { return try openUnchecked(id, key: key, held.location) }
        let packs = packs
        let location: Location?
        do {
            location =
                try packs.index.lookup(id) { packs.table.isReadable($0) && !packs.table.isDamaged($0) }
        } catch is FormatError {
            // A damaged page of derived data, as in `reusable`.
            location = nil
        }
        guard let location else { return nil }
        do {
            return try openUnchecked(id, key: key, location)
        } catch is FormatError {
            return nil
        } catch let error as StoreError where error.code == .integrity {
            return nil
        }
    }
}
