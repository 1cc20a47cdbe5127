import Catalog
import Foundation
import Testing

@testable import ArtifactStore

/// Guards of collection and publication that no history of the model needs, since another guard comes first or stands
/// behind: each is shown to hold by itself.
@Suite struct GuardTests {
    private static let configure: @Sendable (inout StoreConfiguration) -> Void = {
        $0.inlineCommitBytes = 0
        $0.openDataPacks = 1
        $0.undeleteSeconds = 0
        $0.leaseSeconds = 100
    }

    private func expired(_ body: () async throws -> Void) async throws {
        let error = await #expect(throws: StoreError.self) { try await body() }
        #expect(error?.code == .leaseExpired)
    }

    @Test("an ingest whose lease has expired cannot publish, even if all that it stored is still there")
    func expiredLease() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 1)
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await ingest.addBlob(random.bytes(40_000))
        clock.advance(100)
        try await expired { _ = try await fixture.store.publish(staged, fixture.draft()) }
        #expect(try await fixture.store.versions(VersionFilter(scope: fixture.scope)).versions.isEmpty)
    }

    /// What stands behind the lease: whatever became of it, no version can rely on a pack that is gone.
    @Test("no commit can rely on a pack that was deleted, or that no commit ever completed", arguments: [true, false])
    func deletedPack(isRowLeft: Bool) async throws {
        let fixture = try await StoreFixture(configure: Self.configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 2)
        _ = try await fixture.publish(random.bytes(40_000))
        let number = try #require(fixture.store.packs.table.all.first).number
        try await fixture.catalog.write { transaction in
            let change =
                isRowLeft
                ? "UPDATE store_packs SET state = 3 WHERE number = ?" : "DELETE FROM store_packs WHERE number = ?"
            _ = try transaction.execute(change, Int64(number))
        }
        try await expired {
            _ = try await fixture.catalog.write { try CommitPacks.rely(on: [number], epoch: 5, $0) }
        }
    }

    /// A commit brings back what it relies on and a condemnation spares what was relied on since, so that this does not come
    /// about; if it did, the mark would notice before anything is deleted.
    @Test("a condemned pack that alone holds what a version needs is brought back") func neededPack() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: Self.configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 3)
        let bytes = random.bytes(40_000)
        let version = try await fixture.publish(bytes)
        try fixture.store.packs.sealOpenPacks()
        try await fixture.store.settle()
        try await fixture.catalog.write {
            _ = try $0.execute("UPDATE store_packs SET state = 2, condemned_epoch = 0, last_ref_epoch = 0")
        }
        for info in fixture.store.packs.table.all {
            fixture.store.packs.table.update(info.number) { $0.state = .condemned }
        }
        for _ in 0..<3 { try await fixture.store.collect() }
        #expect(try await fixture.read(version) == bytes)
        let reopened = try await fixture.reopened(now: { clock.now }, configure: Self.configure)
        #expect(try await reopened.read(version) == bytes)
    }
}
