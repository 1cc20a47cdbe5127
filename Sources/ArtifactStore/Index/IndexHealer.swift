import Synchronization

/// Sees to it that a damaged index is rebuilt once, not by every reader that notices.
final class IndexHealer: Sendable {
    private struct State {
        var generation = 0
        var missing: Set<RecordID> = []
    }

    private let state = Mutex(State())
    /// Held while the index is rebuilt; taken before `state`.
    private let rebuilding = Mutex(())
    private static let missingMaximum = 10_000

    /// Counts rebuilds.
    var generation: Int { state.withLock { $0.generation } }

    /// Whether a rebuild did not find a record either.
    func isKnownMissing(_ id: RecordID) -> Bool { state.withLock { $0.missing.contains(id) } }

    func noteMissing(_ id: RecordID) {
        state.withLock { state in
            if state.missing.count >= Self.missingMaximum { state.missing = [] }
            state.missing.insert(id)
        }
    }

    /// Rebuilds, unless somebody has done so since `generation`; waits for whoever is at it.
    func heal(since generation: Int, _ rebuild: () throws -> Void) throws {
        try rebuilding.withLock { _ in
            guard self.generation == generation else { return }
            try rebuild()
            state.withLock { state in
                state.generation += 1
                state.missing = []
            }
        }
    }
}
