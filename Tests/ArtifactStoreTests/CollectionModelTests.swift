import Foundation
import Testing

@testable import ArtifactStore

/// A randomised model of everything that can happen to a store at once: pushes, reads, pins, tags, deletions and
/// collections take turns at every step of input and output, and between any two of these steps the power may fail.
///
/// After every restart and at the end, what was acknowledged reads back byte for byte, and at the end the space of
/// everything else has come back. `COFFER_MODEL_SEED` replays one history, `COFFER_MODEL_STEPS` makes it longer,
/// `COFFER_MODEL_RUNS` adds further histories, each with the next seed. A seed replays exactly: whatever the store does goes
/// through the model's strands and the failing machine, which also keeps the trace.
@Suite struct CollectionModelTests {
    /// Two runs of each seed; `COFFER_MODEL_REPLAYS` says of how many seeds.
    @Test("a seed replays its history step by step")
    func replay() async throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["COFFER_MODEL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)
        let steps = environment["COFFER_MODEL_STEPS"].flatMap { Int($0) } ?? 1000
        let seeds = environment["COFFER_MODEL_REPLAYS"].flatMap { UInt64($0) } ?? 2
        for seed in first..<first + seeds {
            print("COFFER_MODEL_SEED=\(seed) COFFER_MODEL_STEPS=\(steps) COFFER_MODEL_REPLAYS=1")
            var traces: [[String]] = []
            for _ in 0..<2 {
                let model = try await StoreModel(seed: seed)
                defer { model.remove() }
                do {
                    for _ in 0..<steps { try await model.turn() }
                    try await model.finish()
                } catch let error as ModelFailure {
                    // That it does not happen is for the other test to say; that it happens again, for this one.
                    model.note("\(error)")
                }
                traces.append(model.machine.trace)
            }
            let place = zip(traces[0], traces[1]).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            guard let place = place ?? (traces[0].count == traces[1].count ? nil : traces.map(\.count).min()) else {
                continue
            }
            let parts = traces.map { $0[max(0, place - 12)..<min($0.count, place + 4)].joined(separator: "; ") }
            Issue.record(
                "COFFER_MODEL_SEED=\(seed): of \(traces[0].count) events, from \(place) on: \(parts[0]) — \(parts[1])")
        }
    }

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
