import Foundation
import Synchronization

/// Asks a witness, and waits a bounded time for its answer: one whose volume has stalled must hold up neither the heads that
/// are kept beside the root key nor the other witnesses, nor the server's start and end.
///
/// While an answer is outstanding nothing more is asked, so that a stalled volume costs one thread and heads reach the
/// witness in their order.
final class PatientWitness: LogWitness {
    private let witness: any LogWitness
    private let patience: Duration
    private let now: @Sendable () -> Date
    /// Since when an answer is outstanding.
    private let asked = Mutex<Date?>(nil)

    init(_ witness: any LogWitness, patience: Duration, now: @escaping @Sendable () -> Date) {
        self.witness = witness
        self.patience = patience
        self.now = now
    }

    var name: String { witness.name }

    func newest(of instance: String) async throws -> WitnessedHead? {
        try await ask { [witness] in try await witness.newest(of: instance) }
    }

    func keep(_ head: WitnessedHead) async throws { try await ask { [witness] in try await witness.keep(head) } }

    private func ask<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        let time = now()
        let earlier = asked.withLock { asked -> Date? in
            defer { asked = asked ?? time }
            return asked
        }
        if let earlier { throw silence(since: earlier) }
        let answer = try await BoundedWait.answer(within: patience) { [self] in
            defer { asked.withLock { $0 = nil } }
            return try await work()
        }
        guard let answer else { throw silence(since: time) }
        return answer
    }

    private func silence(since time: Date) -> StoreError {
        StoreError(
            .input,
            "the witness \(name) has not answered since \(time.formatted(.iso8601)); is its volume mounted and reachable?"
        )
    }
}
