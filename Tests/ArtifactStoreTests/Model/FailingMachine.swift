import Catalog
import Synchronization

@testable import ArtifactStore

/// A machine whose power fails at a chosen step of input or output, and whose disk refuses a step now and then.
final class FailingMachine: Sendable {
    private struct State {
        var random: SeededGenerator
        /// Steps until the power fails; nil: it does not.
        var stepsLeft: Int?
        var isOff = false
        var steps = 0
        /// Steps that were refused, power failures left aside.
        var faults = 0

        /// Whether a step fails, once in so many.
        mutating func fails(onceIn count: UInt64) -> Bool {
            guard random.next() % count == 0 else { return false }
            faults += 1
            return true
        }
    }

    let backend = MemoryBackend()
    private let state: Mutex<State>
    /// Everything that happened, in order: two runs of one seed have the same.
    private let events = Mutex<[String]>([])

    var trace: [String] { events.withLock { $0 } }

    func record(_ event: String) { events.withLock { $0.append(event) } }

    init(seed: UInt64) {
        state = Mutex(State(random: SeededGenerator(seed: seed)))
        backend.inject { [weak self] call, _ in self?.step(call) }
    }

    var isOff: Bool { state.withLock { $0.isOff } }
    var steps: Int { state.withLock { $0.steps } }
    var faults: Int { state.withLock { $0.faults } }

    /// Has the power fail after so many steps; nil: nothing fails any more.
    func arm(_ steps: Int?) { state.withLock { $0.stepsLeft = steps } }

    /// One step of input or output. What it does in the end is for the caller to say.
    private func step(_ call: MemoryBackend.Call) -> MemoryBackend.Fault? {
        let fault = decide()
        record("\(call)\(fault.map { " fails: \($0)" } ?? "")")
        return fault
    }

    private func decide() -> MemoryBackend.Fault? {
        state.withLock { state in
            if state.isOff { return .input }
            guard let left = state.stepsLeft else { return nil }
            state.steps += 1
            if left <= 0 {
                state.isOff = true
                return .torn
            }
            state.stepsLeft = left - 1
            guard state.fails(onceIn: 400) else { return nil }
            return [.full, .input, .torn, .short][Int(state.random.next() % 4)]
        }
    }

    /// A step of the database: a moment at which others may go first, and at which the power may fail. What is refused is
    /// refused before it was done: a commit that took place is never reported as failed by a machine that goes on.
    func databaseStep(_ moment: Catalog.WriteMoment) async throws {
        await Strand.pause()
        record("database: \(moment)")
        let fails = state.withLock { state in
            if state.isOff { return true }
            guard let left = state.stepsLeft else { return false }
            state.steps += 1
            if left <= 0 { state.isOff = true }
            state.stepsLeft = left - 1
            return left <= 0 || moment == .writing && state.fails(onceIn: 300)
        }
        if fails { throw CatalogError(.input, "the device failed") }
    }

    /// Whether a transaction that is complete but for its commit is undone.
    func refusesCommit() -> Bool {
        state.withLock { state in !state.isOff && state.stepsLeft != nil && state.fails(onceIn: 150) }
    }

    /// The power comes back. Of what was not synced, anything may have reached the disk: nothing, a part, a part with a
    /// page of zeros in the middle, all; and a deleted file may be there again.
    func powerUp() {
        state.withLock { state in
            var random = state.random
            backend.crash(
                remains: { unsynced in
                    if unsynced.isEmpty { return [] }
                    let part = Array(unsynced.prefix(Int(random.next() % UInt64(unsynced.count + 1))))
                    switch random.next() % 4 {
                    case 0: return []
                    case 1: return part
                    case 2: return part + [UInt8](repeating: 0, count: 512)
                    default: return Array(unsynced)
                    }
                }, revives: { _ in random.next() % 2 == 0 })
            state.random = random
            state.isOff = false
        }
    }
}
