/// Which records are needed: one bit a record, and the live bytes of each pack.
struct Marks: Sendable {
    private var bits: [UInt32: [UInt64]] = [:]
    private(set) var liveBytes: [UInt32: Int] = [:]
    private(set) var liveRecords: [UInt32: Int] = [:]
    /// Bytes of needed records that are still in the journal.
    var journalBytes = 0

    /// Sets a record's bit. Returns whether it was clear.
    mutating func insert(_ location: Location) -> Bool {
        let word = Int(location.ordinal / 64)
        let bit: UInt64 = 1 << UInt64(location.ordinal % 64)
        var words = bits.removeValue(forKey: location.pack) ?? []
        defer { bits[location.pack] = words }
        if words.count <= word { words += [UInt64](repeating: 0, count: word + 1 - words.count) }
        if words[word] & bit != 0 { return false }
        words[word] |= bit
        liveBytes[location.pack, default: 0] += Int(location.recordBytes)
        liveRecords[location.pack, default: 0] += 1
        return true
    }

    func contains(_ location: Location) -> Bool {
        guard let words = bits[location.pack] else { return false }
        let word = Int(location.ordinal / 64)
        return word < words.count && words[word] & 1 << UInt64(location.ordinal % 64) != 0
    }
}

/// Follows references from roots to everything they need, using index frames only: no customer key.
struct Marker {
    private let packs: PackStore
    private(set) var marks = Marks()
    /// Condemned packs that turned out to be the only holders of something.
    private(set) var needed: Set<UInt32> = []
    /// Journal records visited, which live in the database and need no bit.
    private var journal: Set<RecordID> = []
    /// What trees and nodes of a pack refer to, of packs lately looked into.
    private var reaches: [UInt32: [UInt32: [RecordID]]] = [:]
    private var recent: [UInt32] = []
    private static let reachPacks = 16

    init(_ packs: PackStore) { self.packs = packs }

    /// Marks everything below `roots`.
    ///
    /// - Throws: `StoreError` with `.integrity` when something that is needed cannot be found or read: then nothing may be
    ///   deleted.
    mutating func mark(_ roots: [RecordID]) throws {
        var stack = roots
        while let id = stack.popLast() {
            let location = try holder(id)
            if location.pack == Location.journal {
                guard journal.insert(id).inserted else { continue }
                if let entry = packs.journal.entry(id) {
                    marks.journalBytes += entry.record.count
                    stack += entry.reach
                } else {
                    stack.append(id)
                }
                continue
            }
            guard marks.insert(location) else { continue }
            if packs.table[location.pack]?.state == .condemned { needed.insert(location.pack) }
            if location.kind != .chunk { stack += try reach(of: location) }
        }
    }

    /// The copy that will be kept: intact, in a pack that is not on its way out, and known to the database.
    private func holder(_ id: RecordID) throws -> Location {
        let (table, index) = (packs.table, packs.index)
        let found = try packs.healing(id) {
            if let best = try index.lookup(id, accept: { table.isReusable($0) && table.isRegistered($0) }) {
                return best
            }
            return try index.lookup(id) { table.isReadable($0) && table.isRegistered($0) }
        }
        if let found { return found }
        throw StoreError.integrity("record \(id), which a version needs, is not in any pack")
    }

    private mutating func reach(of location: Location) throws -> [RecordID] {
        if reaches[location.pack] == nil {
            guard let info = packs.table[location.pack] else {
                throw StoreError.integrity("a pack that a version needs is missing")
            }
            var table: [UInt32: [RecordID]] = [:]
            for entry in try packs.entries(of: info) where entry.location.kind != .chunk {
                table[entry.location.ordinal] = entry.reach
            }
            reaches[location.pack] = table
            recent.append(location.pack)
            if recent.count > Self.reachPacks { reaches[recent.removeFirst()] = nil }
        }
        if let found = reaches[location.pack]?[location.ordinal] { return found }
        // Appended to an open pack after it was looked into: look again.
        reaches[location.pack] = nil
        recent.removeAll { $0 == location.pack }
        guard let info = packs.table[location.pack],
            let entry = try packs.entries(of: info).first(where: { $0.location.ordinal == location.ordinal })
        else { throw StoreError.integrity("what a directory refers to is missing from its pack's index") }
        return entry.reach
    }
}
