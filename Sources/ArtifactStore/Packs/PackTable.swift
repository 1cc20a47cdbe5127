import Synchronization

/// What is known in memory of every pack.
struct PackInfo: Sendable {
    enum State: Int, Sendable {
        case open = 0
        case sealed = 1
        /// Nothing in it is needed; it goes when no lease is older than its condemnation.
        case condemned = 2
        case deleted = 3
    }

    var number: UInt32
    var name: String
    var packClass: PackClass
    var state: State
    /// Set by the commit that first names the pack.
    var isRegistered: Bool
    /// Bytes that are on disk.
    var length: Int
    /// Bytes that a commit has told the database of.
    var registeredLength = 0
    /// A flush failed: until the next start new versions must not rely on it.
    var isBroken = false
    var records: Int
    var lastFrameOffset: Int
    var lastFrameBytes: Int
    var plainBytes: Int
    var storageKeyVersion: Int
    /// The key of the pack's index frames under the storage key, once that is not the one the pack was made with.
    var wrappedKey: [UInt8]?
}

/// All packs by number. Numbers are never used twice.
final class PackTable: Sendable {
    private struct State {
        var packs: [UInt32: PackInfo] = [:]
        var next: UInt32 = 1
        var damaged: [UInt32: Set<UInt32>] = [:]
    }

    private let state = Mutex(State())

    func takeNumber() -> UInt32 {
        state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
    }

    /// Numbers below `number` have been used.
    func reserve(below number: UInt32) { state.withLock { $0.next = max($0.next, number) } }

    func set(_ info: PackInfo) { state.withLock { $0.packs[info.number] = info } }

    func update(_ number: UInt32, _ change: (inout PackInfo) -> Void) {
        state.withLock { state in
            guard var info = state.packs[number] else { return }
            change(&info)
            state.packs[number] = info
        }
    }

    func remove(_ number: UInt32) { state.withLock { $0.packs[number] = nil } }

    subscript(_ number: UInt32) -> PackInfo? { state.withLock { $0.packs[number] } }

    /// In the order of their numbers: what is read from them later wins, after a restart as before it.
    var all: [PackInfo] { state.withLock { $0.packs.values.sorted { $0.number < $1.number } } }

    /// Whether a location can be read at all.
    func isReadable(_ location: Location) -> Bool {
        if location.pack == Location.journal { return true }
        return state.withLock { state in
            guard let info = state.packs[location.pack] else { return false }
            return info.state != .deleted
        }
    }

    /// Whether new versions may refer to a location: its pack is not on its way out and the record not known as damaged.
    func isReusable(_ location: Location) -> Bool {
        if location.pack == Location.journal { return true }
        return state.withLock { state in
            guard let info = state.packs[location.pack], !info.isBroken, info.state == .open || info.state == .sealed
            else {
                return false
            }
            return state.damaged[location.pack]?.contains(location.ordinal) != true
        }
    }

    func isDamaged(_ location: Location) -> Bool {
        state.withLock { $0.damaged[location.pack]?.contains(location.ordinal) == true }
    }

    /// Remembers that a record cannot be read; the next push of its content stores it anew.
    func markDamaged(_ location: Location) {
        state.withLock { _ = $0.damaged[location.pack, default: []].insert(location.ordinal) }
    }

    /// A record turned out to be readable after all.
    func clearDamage(_ location: Location) {
        state.withLock { _ = $0.damaged[location.pack]?.remove(location.ordinal) }
    }
}
