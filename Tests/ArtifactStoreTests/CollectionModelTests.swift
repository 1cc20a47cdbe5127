import Foundation
import Testing

@testable import ArtifactStore

/// A randomised model of everything that can happen to a store at once: pushes, reads, pins, tags, deletions and
/// collections take turns at every step of input and output, and between any two of these steps the power may fail.
///
/// After every restart and at the end, what was acknowledged reads back byte for byte, and at the end the space of
/// everything else has come back. `COFFER_MODEL_SEED` replays one history, `COFFER_MODEL_STEPS` makes it longer,
/// `COFFER_MODEL_RUNS` adds further histories, each with the next seed.
@Suite struct CollectionModelTests {
    @Test("no interleaving of pushes, reads, deletions, collections and crashes loses what was acknowledged")
    func interleavings() async throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["COFFER_MODEL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)
        let steps = environment["COFFER_MODEL_STEPS"].flatMap { Int($0) } ?? 1000
        let runs = environment["COFFER_MODEL_RUNS"].flatMap { UInt64($0) } ?? 16
        for seed in first..<first + runs {
            print("COFFER_MODEL_SEED=\(seed) COFFER_MODEL_STEPS=\(steps) COFFER_MODEL_RUNS=1")
            let model = try await StoreModel(seed: seed)
            defer { model.remove() }
            do {
                for _ in 0..<steps { try await model.turn() }
                try await model.finish()
                print(
                    "\(model.nextOrder) pushes, \(model.machine.steps) steps of input and output, \(model.crashes) crashes"
                )
            } catch {
                Issue.record(
                    "\(error) with COFFER_MODEL_SEED=\(seed), after: \(model.history.suffix(40).joined(separator: "; "))"
                )
                return
            }
        }
    }
}
