import Catalog
import Cryptography
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import ArtifactStore

@Suite struct AheadTests {
    @Test("is computed once, by whoever comes first") func once() throws {
        let count = Mutex(0)
        let ahead = Ahead { count.withLock { $0 += 1 } }
        DispatchQueue.concurrentPerform(iterations: 8) { index in
            if index % 2 == 0 { ahead.run() } else { _ = try? ahead.value() }
        }
        try ahead.value()
        #expect(count.withLock { $0 } == 1)
    }

    @Test("gives everybody the failure") func failure() {
        struct Broken: Error {}
        let ahead = Ahead<Int> { throw Broken() }
        ahead.run()
        for _ in 0..<2 { #expect(throws: Broken.self) { try ahead.value() } }
    }

    @Test("publications side by side make one log, whatever was guessed") func sideBySide() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        for round in 0..<3 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<6 {
                    group.addTask {
                        // Two artifacts: guesses of the place in the log go wrong, and guesses of the number.
                        let bytes = [UInt8](repeating: UInt8(lane), count: 500 + round)
                        _ = try await fixture.publish(bytes, artifact: lane % 2 == 0 ? "app" : "other")
                    }
                }
                try await group.waitForAll()
            }
        }
        let rows = try await fixture.catalog.read { try $0.rows("SELECT * FROM store_log ORDER BY sequence") }
        var previous: [UInt8] = []
        var numbers: [String: [Int]] = [:]
        for (index, row) in rows.enumerated() {
            let (leaf, statement) = try fixture.store.versionLog.check(
                row, sequence: Int64(index + 1), after: previous)
            previous = leaf.bytes
            numbers[statement.artifact ?? "", default: []].append(statement.number ?? 0)
        }
        #expect(numbers == ["app": Array(1...9), "other": Array(1...9)])
    }
}
