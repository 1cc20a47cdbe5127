import Foundation
import Synchronization

/// Who is writing or reading right now. A lease remembers the epoch in which it began; a pack condemned in or after that
/// epoch is not deleted while the lease lives. In memory: one process owns the store, and a crash ends all leases.
final class Leases: Sendable {
    private struct State {
        var next: UInt64 = 1
        var live: [UInt64: (epoch: Int64, expires: Date?)] = [:]
        var epoch: Int64
        var idle: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>

    init(epoch: Int64) { state = Mutex(State(epoch: epoch)) }

    /// The epoch as the last committed change left it.
    var epoch: Int64 { state.withLock { $0.epoch } }

    func setEpoch(_ epoch: Int64) { state.withLock { $0.epoch = epoch } }

    /// Begins a lease. Reads have no expiry: they end with their stream.
    func begin(expires: Date?) -> Lease {
        state.withLock { state in
            defer { state.next += 1 }
            state.live[state.next] = (state.epoch, expires)
            return Lease(owner: self, token: state.next)
        }
    }

    func isValid(_ lease: Lease, at now: Date) -> Bool {
        state.withLock { state in
            guard let entry = state.live[lease.token] else { return false }
            return entry.expires.map { now < $0 } ?? true
        }
    }

    func end(_ token: UInt64) {
        let call = state.withLock { state -> (@Sendable () -> Void)? in
            guard let ended = state.live.removeValue(forKey: token), ended.expires != nil else { return nil }
            return state.live.values.contains { $0.expires != nil } ? nil : state.idle
        }
        call?()
    }

    /// Calls `body` whenever an ingest ends that was the last one.
    func whenLastIngestEnds(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.idle = body } }

    /// Whether anybody is writing, or was when their lease expired.
    var hasIngests: Bool { state.withLock { $0.live.values.contains { $0.expires != nil } } }

    /// The epoch of the oldest valid lease; expired ones are dropped.
    func oldestEpoch(at now: Date) -> Int64? {
        state.withLock { state in
            state.live = state.live.filter { $0.value.expires.map { now < $0 } ?? true }
            return state.live.values.map(\.epoch).min()
        }
    }
}

/// Ends when it is released.
final class Lease: Sendable {
    private let owner: Leases
    let token: UInt64

    init(owner: Leases, token: UInt64) {
        self.owner = owner
        self.token = token
    }

    deinit { owner.end(token) }

    func end() { owner.end(token) }
}
