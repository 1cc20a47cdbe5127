import Catalog
import Foundation
import KeyHierarchy
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

/// A witness whose volume stalls: while it is told to, what it is asked stays unanswered.
private final class StallingWitness: LogWitness {
    private struct State {
        var isStalled = false
        var kept: [WitnessedHead] = []
        var calls = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let name = "/mnt/elsewhere/witness"
    private let state = Mutex(State())

    var calls: Int { state.withLock { $0.calls } }
    var kept: [Int64] { state.withLock { $0.kept.map(\.size) } }

    func stall() { state.withLock { $0.isStalled = true } }

    func recover() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isStalled = false
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func pass() async {
        await withCheckedContinuation { continuation in
            let isStalled = state.withLock { state in
                state.calls += 1
                if state.isStalled { state.waiting.append(continuation) }
                return state.isStalled
            }
            if !isStalled { continuation.resume() }
        }
    }

    func newest(of instance: String) async throws -> WitnessedHead? {
        await pass()
        return state.withLock { $0.kept.last }
    }

    func keep(_ head: WitnessedHead) async throws {
        await pass()
        state.withLock { $0.kept.append(head) }
    }
}

@Suite struct StalledWitnessTests {
    @Test("a witness that stalls holds up nothing, is named, is asked once, and is told when it answers again")
    func stalled() async throws {
        let witness = StallingWitness()
        let fixture = try await StoreFixture(configure: {
            $0.witnesses = [witness]
            $0.witnessPatience = .milliseconds(20)
        })
        defer { fixture.remove() }
        let store = fixture.store
        _ = try await fixture.publish([1])
        // As long as it takes: what is slow here is not the witness.
        while witness.kept.isEmpty { try await store.recordHead(isLast: true) }
        #expect(witness.kept.last == 1)

        witness.stall()
        let before = witness.calls
        _ = try await fixture.publish([2])
        try await store.recordHead(isLast: true)
        // The head beside the root key went on without it.
        #expect(try await store.versionLog.signer.highWaterMark()?.logSize == 2)
        let error = await #expect(throws: StoreError.self) { try await store.rollbackProblem() }
        #expect(error?.message.contains("the witness /mnt/elsewhere/witness has not answered since 20") == true)
        _ = try await fixture.publish([3])
        try await store.close()
        #expect(witness.calls == before + 1, "one thread waits for it, however often it is needed")
        #expect(try await store.verify().problems.count == 1)

        witness.recover()
        // As long as it takes until the answer that was outstanding has come.
        while witness.kept.last != 3 { try await store.recordHead(isLast: true) }
        #expect(witness.kept == witness.kept.sorted())
        while true {
            do {
                #expect(try await store.rollbackProblem() == nil)
                break
            } catch is StoreError {}
        }
    }

    @Test("what is no file is refused as a witness, without waiting for a reader", .timeLimit(.minutes(1)))
    func pipe() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let path = fixture.folder.appending("pipe")
        #expect(mkfifo(path.string, 0o600) == 0)
        let error = await #expect(throws: StoreError.self) { try await WitnessFile(path).newest(of: "00") }
        #expect(error?.message.contains("is not a file") == true)
        _ = try await fixture.publish([1])
        try fixture.catalog.close()
        let later = try await fixture.reopened(configure: { $0.witnesses = [WitnessFile(path)] })
        try await later.store.close()
    }

    @Test("work that does not end is given up, and its result forgotten") func bounded() async throws {
        let (stream, end) = AsyncStream.makeStream(of: Void.self)
        let none = try await BoundedWait.answer(within: .milliseconds(1)) { () -> Int in
            for await _ in stream {}
            return 1
        }
        #expect(none == nil)
        end.finish()
        #expect(try await BoundedWait.answer(within: .seconds(600)) { 7 } == 7)
        await #expect(throws: StoreError.self) {
            try await BoundedWait.answer(within: .seconds(600)) { throw StoreError(.input, "no") }
        }
    }
}
